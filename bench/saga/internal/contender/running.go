package contender

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/HdrHistogram/hdrhistogram-go"

	"go.example/saga/bench/internal/lab"
)

// Running is a contender at work.
type Running struct {
	daemons *Daemons
	client  *lab.Process
	ask     *json.Encoder
	hangUp  io.Closer
	answers chan answer
}

// Start starts the contender's processes and returns when it takes orders.
func (c Contender) Start(ctx context.Context, l *lab.Lab, job Job) (r *Running, err error) {
	r = &Running{daemons: &Daemons{}, answers: make(chan answer)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start %s: %w", c.Name, err), r.Stop())
		}
	}()
	if c.daemons != nil {
		if r.daemons, err = c.daemons(ctx, l, job); err != nil {
			return r, err
		}
	}
	command, err := c.client(job)
	if err != nil {
		return r, err
	}
	if err := r.startClient(l, command); err != nil {
		return r, err
	}
	_, err = r.answer(ctx)
	return r, err
}

// startClient starts the client with pipes to talk with it.
func (r *Running) startClient(l *lab.Lab, command *exec.Cmd) error {
	in, ask, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe to the client: %w", err)
	}
	defer func() { _ = in.Close() }() // the client has its own copy
	answers, out, err := os.Pipe()
	if err != nil {
		_ = ask.Close()
		return fmt.Errorf("make a pipe from the client: %w", err)
	}
	defer func() { _ = out.Close() }() // likewise
	command.Stdin, command.Stdout = in, out
	if r.client, err = l.Start(command); err != nil {
		return errors.Join(err, ask.Close(), answers.Close())
	}
	r.ask, r.hangUp = json.NewEncoder(ask), ask
	go r.listen(answers)
	return nil
}

// listen takes what the client says until it ends.
func (r *Running) listen(answers *os.File) {
	defer func() { _ = answers.Close() }()
	said := json.NewDecoder(answers)
	for {
		var a answer
		if said.Decode(&a) != nil {
			return
		}
		select {
		case r.answers <- a:
		case <-r.client.Exited():
			return
		}
	}
}

// Carry has the client carry out a load.
func (r *Running) Carry(ctx context.Context, load Load) (seconds float64, times *hdrhistogram.Histogram, err error) {
	if err := r.ask.Encode(load); err != nil {
		return 0, nil, errors.Join(fmt.Errorf("ask the client: %w", err), r.client.Ended())
	}
	a, err := r.answer(ctx)
	if err != nil {
		return 0, nil, err
	}
	return a.Seconds, hdrhistogram.Import(a.Times), nil
}

func (r *Running) answer(ctx context.Context) (answer, error) {
	select {
	case a := <-r.answers:
		if a.Error != "" {
			return a, errors.New(a.Error)
		}
		return a, nil
	case <-r.client.Exited():
		return answer{}, r.client.Ended()
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
}

// PIDs are the numbers of all its processes.
func (r *Running) PIDs() []int {
	pids := []int{r.client.PID()}
	for _, d := range r.daemons.running {
		pids = append(pids, d.process.PID())
	}
	return pids
}

// PeakMemory is the most resident memory that each process has had, in MiB. This
// system's client is its reservation service.
func (r *Running) PeakMemory() map[string]float64 {
	memory := map[string]float64{"reservation": r.client.PeakMemory()}
	for _, d := range r.daemons.running {
		memory[d.name] = d.process.PeakMemory()
	}
	return memory
}

// Stop ends all its processes.
func (r *Running) Stop() error {
	var errs []error
	if r.client != nil {
		errs = append(errs, r.hangUp.Close(), r.client.Stop())
	}
	return errors.Join(append(errs, r.daemons.stop())...)
}
