package contender

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.example/saga/bench/internal/lab"
	"go.example/saga/internal/dev/services"
)

const (
	// readyTime bounds the start of a daemon.
	readyTime = 30 * time.Second
	readyPoll = 20 * time.Millisecond
)

// Programs are the released ones that run beside the reservation service.
var Programs = []string{"relay", "orchestrator", "hotel", "payment"}

// Daemons are the released programs beside the reservation service.
type Daemons struct {
	running []daemon
}

type daemon struct {
	name, health string
	process      *lab.Process
}

// startDaemons applies the sample's definition and starts the programs with the
// settings that they have by default. They are ready when it returns.
func startDaemons(ctx context.Context, l *lab.Lab, programs string, job Job) (*Daemons, error) {
	root, err := services.Root()
	if err != nil {
		return &Daemons{}, err
	}
	orchestrator := "DATABASE_URL=" + job.Databases.Reservation
	apply := exec.CommandContext(ctx, filepath.Join(programs, "orchestrator"), "definition", "apply", filepath.Join(root, "deploy", "room-reservation.yaml"))
	apply.Env = []string{orchestrator}
	if out, err := apply.CombinedOutput(); err != nil {
		return &Daemons{}, fmt.Errorf("orchestrator definition apply: %w\n%s", err, out)
	}
	d := &Daemons{}
	for _, program := range []struct {
		name, verb, database string
		more                 []string
	}{
		{"hotel", "serve", "DATABASE_URL=" + job.Databases.Hotel, nil},
		{"payment", "serve", "DATABASE_URL=" + job.Databases.Payment, nil},
		{"orchestrator", "run", orchestrator, []string{"SERVICE=reservation"}},
		{"relay", "run", "DATABASE_URLS=" + strings.Join(job.Databases.All(), " "), nil},
	} {
		err := d.start(l, programs, program.name, program.verb, append(program.more, program.database, "AMQP_URL="+job.AMQP)...)
		if err != nil {
			return &Daemons{}, errors.Join(err, d.stop())
		}
	}
	for _, one := range d.running {
		if err := one.ready(ctx); err != nil {
			return &Daemons{}, errors.Join(err, d.stop())
		}
	}
	return d, nil
}

// start starts a program with nothing of this shell's settings.
func (d *Daemons) start(l *lab.Lab, programs, name, verb string, settings ...string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("take a port: %w", err)
	}
	defer func() { _ = listener.Close() }() // the program has its own copy
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		return fmt.Errorf("take a port: %w", err)
	}
	defer func() { _ = socket.Close() }()
	health := listener.Addr().String()
	cmd := exec.Command(filepath.Join(programs, name), verb)
	cmd.ExtraFiles = []*os.File{socket} // the first is number 3
	cmd.Env = append(settings, "HEALTH_ADDR=fd:3", "LOG_LEVEL=warn", "HOME="+os.Getenv("HOME"))
	process, err := l.Start(cmd)
	if err != nil {
		return err
	}
	d.running = append(d.running, daemon{name, health, process})
	return nil
}

func (d daemon) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		err := d.ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-d.process.Exited():
			return d.process.Ended()
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", d.name, err, d.process.Tail())
		case <-tick.C:
		}
	}
}

// ask asks the daemon whether it is ready: nil, or why not.
func (d daemon) ask(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.health+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

func (d *Daemons) stop() error {
	var errs []error
	for _, one := range slices.Backward(d.running) {
		errs = append(errs, one.process.Stop())
	}
	return errors.Join(errs...)
}
