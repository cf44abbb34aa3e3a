package lab

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.example/saga/bench/internal/proc"
)

// stopTime is how long a process may take to end after SIGTERM.
const stopTime = 20 * time.Second

// Process is a program under measurement.
type Process struct {
	cmd    *exec.Cmd
	log    string
	exited chan struct{} // closed when it has ended
}

// Start starts a program. What it says goes into a file, but for what the command has
// another place for.
func (l *Lab) Start(cmd *exec.Cmd) (*Process, error) {
	log, err := os.CreateTemp(l.Dir, filepath.Base(cmd.Path)+"-*.log")
	if err != nil {
		return nil, fmt.Errorf("make the log of %s: %w", cmd.Path, err)
	}
	defer func() { _ = log.Close() }() // the process has its own copy
	cmd.Stderr = log
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	p := &Process{cmd: cmd, log: log.Name(), exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // how it ended is read from ProcessState
	}()
	return p, nil
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// PeakMemory is the most resident memory it has had, in MiB; NaN where that
// cannot be read.
func (p *Process) PeakMemory() float64 {
	peak, err := proc.PeakMemory(p.PID())
	if err != nil {
		return math.NaN()
	}
	return float64(peak) / (1 << 20)
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Ended is the error of a process that ended before its time.
func (p *Process) Ended() error {
	return fmt.Errorf("%s ended: %v\n%s", filepath.Base(p.cmd.Path), p.cmd.ProcessState, p.Tail())
}

// Stop asks the process to end and kills it when it does not.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended meanwhile
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopTime):
	}
	err := fmt.Errorf("%s did not end within %v of SIGTERM\n%s", filepath.Base(p.cmd.Path), stopTime, p.Tail())
	if kill := p.cmd.Process.Kill(); kill != nil {
		return errors.Join(err, kill)
	}
	<-p.exited
	return err
}

// Tail is the end of what the process said.
func (p *Process) Tail() string {
	const most = 2 << 10
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-most):]))
}
