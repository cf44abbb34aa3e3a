package instance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// Process is a server's process, which can be started again after it has ended.
type Process struct {
	// Command makes the command anew for each start.
	Command func() *exec.Cmd
	// Log is the file that all its processes append to.
	Log string

	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
}

// Start starts it; it need not serve yet when Start returns. It ends with this program.
func (p *Process) Start() error {
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open a server's log: %w", err)
	}
	defer func() { _ = log.Close() }() // the process has its own copy
	cmd := p.Command()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended is in its log
	}()
	p.cmd, p.exited = cmd, exited
	return nil
}

// Signal sends a signal; to a process that has ended it sends none.
func (p *Process) Signal(signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to %s: %w", signal, filepath.Base(p.cmd.Path), err)
	}
	return nil
}

// End ends it by a signal and waits. It does nothing where it was never started.
func (p *Process) End(signal syscall.Signal) error {
	if p.cmd == nil {
		return nil
	}
	if err := p.Signal(signal); err != nil {
		return err
	}
	<-p.exited
	return nil
}

// startTime bounds the start of a server on a busy machine.
const startTime = 3 * time.Minute

// await asks until ready says nil, the process ends, or the time is over.
func (p *Process) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended, see %s: %w", filepath.Base(p.cmd.Path), p.Log, err)
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer, see %s: %w", filepath.Base(p.cmd.Path), p.Log, err)
		case <-tick.C:
		}
	}
}

// FreePort is one that nobody listens on at the moment.
func FreePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

// command is one that sees root as the whole file system, with nothing of this shell's
// environment: a PGDATA or RABBITMQ_NODENAME in it must not leak in.
func command(root, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = attributes()
	cmd.SysProcAttr.Chroot = root
	return cmd
}
