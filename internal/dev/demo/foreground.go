package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"go.example/saga/internal/dev/stack"
)

const listen = "127.0.0.1:8080"

// Foreground is `make run`: the daemons with their logs on out until ctx is done
// (Ctrl-C) or one of them ends.
func Foreground(ctx context.Context, out io.Writer) (err error) {
	report := reporter(out)
	env, err := prepare(ctx, report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, env.giveBack(ctx, report)) }()
	env.stack.Listen = listen
	for _, name := range stack.Daemons { // only this run's lines are shown
		if err := os.RemoveAll(env.stack.LogDir + "/" + name + ".log"); err != nil {
			return fmt.Errorf("remove the old log: %w", err)
		}
	}
	daemons, err := stack.Start(ctx, env.stack)
	if errors.Is(err, syscall.EADDRINUSE) {
		report("%s is taken by another program, so the reservation service gets another port", listen)
		env.stack.Listen = ""
		daemons, err = stack.Start(ctx, env.stack)
	}
	if err != nil {
		return env.notStarted(err)
	}
	defer func() { err = errors.Join(err, daemons.Stop()) }()
	fmt.Fprint(out, invitation(env, daemons.URL()))

	follow, stop := context.WithCancel(context.WithoutCancel(ctx))
	var logs sync.WaitGroup
	defer logs.Wait()
	defer stop()
	lines := &lineWriter{out: out}
	for _, name := range stack.Daemons {
		logs.Go(func() { lines.follow(follow, name, daemons.LogFile(name)) })
	}
	select {
	case <-ctx.Done():
		report("stopping the daemons")
		return nil
	case name := <-daemons.Ended():
		return fmt.Errorf("%s ended by itself: see %s", name, daemons.LogFile(name))
	}
}

func invitation(env environment, server string) string {
	return fmt.Sprintf(`
The reservation service listens on %s (API description: /openapi.json).
  curl -i %[1]s/api/v1/reservations -H 'Content-Type: application/json' -d '{"hotelId":1,"roomId":1,"startDate":"2028-05-01","endDate":"2028-05-03","guestId":"me","paymentDue":49900,"creditCardNo":"************7999"}'
  curl -i '%[1]s/api/v1/reservations/{id}?expand=booking,payment,saga'
  psql %[2]s -c 'SELECT * FROM saga_overview'
Ctrl-C stops the daemons.

`, server, quote(env.stack.Reservation))
}

// lineWriter prints the lines of several files, each with the daemon's name.
type lineWriter struct {
	mu  sync.Mutex
	out io.Writer
}

// follow prints what is appended to the file until ctx is done.
func (w *lineWriter) follow(ctx context.Context, name, path string) {
	file, err := os.Open(path)
	if err != nil {
		fmt.Fprintf(w.out, "%s: %v\n", name, err)
		return
	}
	defer func() { _ = file.Close() }()
	tick := time.NewTicker(tellTime)
	defer tick.Stop()
	reader := bufio.NewReader(file)
	var partial string
	for {
		text, err := reader.ReadString('\n')
		partial += text
		if err == nil {
			w.mu.Lock()
			fmt.Fprintf(w.out, "%-12s %s", name, partial)
			w.mu.Unlock()
			partial = ""
			continue
		}
		select { // at the end of the file: wait for more
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
