package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.example/saga/internal/app"
)

const (
	readyTime = 60 * time.Second
	stopTime  = 20 * time.Second
	pollTime  = 50 * time.Millisecond
)

// daemon is one program and, while it runs, its process.
type daemon struct {
	name string
	path string
	args []string
	env  []string
	log  string // file that all its processes append to
	// sockets are what it listens on, passed to each of its processes; the first
	// answers for its health.
	sockets []*socket

	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
}

// start starts the process; it need not be ready yet when start returns.
func (d *daemon) start() error {
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", d.name, err)
	}
	defer func() { _ = log.Close() }() // the process has its own copy
	cmd := exec.Command(d.path, d.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = d.env, log, log
	for _, s := range d.sockets {
		cmd.ExtraFiles = append(cmd.ExtraFiles, s.file)
	}
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", d.name, err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended is read from ProcessState
	}()
	d.cmd, d.exited = cmd, exited
	return nil
}

// ready waits until the daemon says so.
func (d *daemon) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	for {
		err := app.CheckHealth(ctx, d.sockets[0].addr)
		if err == nil {
			return nil
		}
		select {
		case <-d.exited:
			return fmt.Errorf("%s ended: %v\n%s", d.name, d.cmd.ProcessState, d.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", d.name, err, d.tail())
		case <-tick.C:
		}
	}
}

// kill ends the process, if there is one, as a crash does, and waits for its end.
func (d *daemon) kill() error {
	if d.cmd == nil {
		return nil
	}
	if err := d.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", d.name, err)
	}
	<-d.exited
	d.cmd = nil
	return nil
}

// stop asks the process to end and kills it when it does not. An exit code other
// than 0 is an error: an orderly stop is a promise.
func (d *daemon) stop() error {
	if d.cmd == nil {
		return nil
	}
	select {
	case <-d.exited:
	default:
		_ = d.cmd.Process.Signal(syscall.SIGTERM) // it may have ended meanwhile
	}
	select {
	case <-d.exited:
	case <-time.After(stopTime):
		return errors.Join(fmt.Errorf("%s did not stop within %v of SIGTERM", d.name, stopTime), d.kill())
	}
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with %v\n%s", d.name, d.cmd.ProcessState, d.tail())
	}
	return nil
}

// tail is the end of the log, for an error message.
func (d *daemon) tail() string {
	const most = 4 << 10
	text, err := os.ReadFile(d.log)
	if err != nil {
		return err.Error()
	}
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return fmt.Sprintf("the end of %s:\n%s", filepath.Base(d.log), strings.TrimSpace(string(text)))
}
