package services

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is the record of a server that this project started.
type process struct {
	PID int `json:"pid"`
	// Born tells this process from a later one with the same id.
	Born string `json:"born"`
	Port int    `json:"port"`
	// Stop is the signal that ends the server in order.
	Stop syscall.Signal `json:"stop"`
}

const (
	pollEvery = 100 * time.Millisecond
	// stopTime is how long a server may take to end before it is killed.
	stopTime = 60 * time.Second
)

// spawn starts a server that outlives this program, and records it.
func spawn(command *exec.Cmd, log, record string, port int, stop syscall.Signal) (process, error) {
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return process{}, err
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return process{}, err
	}
	defer out.Close() // the server holds its own descriptor
	command.Stdout, command.Stderr = out, out
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Setsid = true // away from this terminal's Ctrl-C
	if err := command.Start(); err != nil {
		return process{}, err
	}
	go command.Wait() //nolint:errcheck // only so that it is no zombie if it ends while this program runs
	started := process{PID: command.Process.Pid, Port: port, Stop: stop}
	if started.Born, err = born(started.PID); err == nil {
		err = writeJSON(record, started)
	}
	if err != nil {
		_ = command.Process.Kill() // nobody would know that it is ours
		return process{}, err
	}
	return started, nil
}

func readProcess(path string) (process, error) {
	var record process
	text, err := os.ReadFile(path)
	if err != nil {
		return record, err
	}
	return record, json.Unmarshal(text, &record)
}

// alive tells whether the very process that was recorded still runs.
func (r process) alive() bool {
	now, err := born(r.PID)
	return err == nil && now == r.Born
}

// await polls ready until it is nil, the process ends, or the time is over.
func (r process) await(ctx context.Context, limit time.Duration, ready func() error) error {
	ended := false
	err := await(ctx, limit, func() error {
		err := ready()
		// Where it has ended, another program's server has answered.
		ended = !r.alive()
		if ended {
			return nil
		}
		return err
	})
	if ended {
		return errors.New("the process ended")
	}
	return err
}

func await(ctx context.Context, limit time.Duration, ready func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// stop ends the process in order, or kills its group when it takes too long. A
// process that has ended meanwhile is no error, and one that has got its number
// since is left alone.
func (r process) stop(ctx context.Context) error {
	handle, err := os.FindProcess(r.PID) // on Linux it means this process for ever, whoever gets the number
	if err != nil || !r.alive() {
		return nil
	}
	defer func() { _ = handle.Release() }()
	if err := handle.Signal(r.Stop); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop process %d: %w", r.PID, err)
	}
	ended := func() error {
		if r.alive() {
			return fmt.Errorf("process %d does not end", r.PID)
		}
		return nil
	}
	if await(ctx, stopTime, ended) == nil || !r.alive() {
		return nil
	}
	return syscall.Kill(-r.PID, syscall.SIGKILL) // spawn made it a group of its own
}

// born is when the process started, in clock ticks of a boot. A zombie counts as
// ended: in a container nobody may ever collect it.
func born(pid int) (string, error) {
	stat, err := readStat(pid)
	if err != nil {
		return "", err
	}
	if stat.state == zombie {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(boot)) + ":" + stat.start, nil
}

// procStat is what is needed of /proc/PID/stat; see proc_pid_stat(5).
type procStat struct{ state, start string }

const zombie = "Z"

func readStat(pid int) (procStat, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return procStat{}, err
	}
	// The second field is the program's name, which may hold anything but ends
	// with the last parenthesis; the third is the state, the 22nd the start.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const state, start = 0, 19 // those two, counted from the third
	if len(fields) <= start {
		return procStat{}, fmt.Errorf("/proc/%d/stat has %d fields after the name", pid, len(fields))
	}
	return procStat{state: fields[state], start: fields[start]}, nil
}

// writeJSON replaces a file in one step.
func writeJSON(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// awaitReaped gives a killed process a moment to leave the process table:
// PostgreSQL takes a zombie whose id stands in its lock file for a running server. If it
// stays, PostgreSQL says so itself.
func (r process) awaitReaped(ctx context.Context) {
	const patience = 15 * time.Second
	_ = await(ctx, patience, func() error {
		if stat, err := readStat(r.PID); err == nil && stat.state == zombie {
			return errors.New("still a zombie")
		}
		return nil
	})
}

// endOfLog is the last line of a server's log, for an error message.
func endOfLog(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return lastLine(text)
}
