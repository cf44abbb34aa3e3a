// Package contender drives what is measured: the relay, the libraries that do the
// same work, and a plain publisher that has no database to read and so is the
// limit for all of them. Each runs in a process of its own.
package contender

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"go.example/saga/bench/internal/wire"
)

// Window is how many messages the limit and the relay keep unconfirmed.
const Window = 1024

// Job is one measurement: so many messages from a database to a queue.
type Job struct {
	Database string // URL of a database of its own
	AMQP     string
	Queue    string
	Rows     int
}

func (j Job) source() wire.Source { return wire.NewSource(j.Queue, j.Rows) }

// Contender is one way to get committed messages to the broker.
type Contender struct {
	Name string
	// Share divides the rows of a round: a slow contender gets fewer, so that all
	// rounds take about as long.
	Share int
	// Fill puts the job's messages into the database.
	Fill func(context.Context, Job) error
	// Command is the program that moves them, and then waits for SIGTERM.
	Command func(Job) (*exec.Cmd, error)
}

// The names of the contenders.
const (
	Pure      = "publisher"
	Relay     = "relay"
	Watermill = "watermill"
	River     = "river"
)

// All are the contenders, with the relay's program at a path.
func All(relay string) []Contender {
	return []Contender{
		{Name: Pure, Share: 1, Fill: fillNothing, Command: child(Pure)},
		NewRelay(relay),
		{Name: Watermill, Share: 8, Fill: fillWatermill, Command: child(Watermill)},
		{Name: River, Share: 2, Fill: fillRiver, Command: child(River)},
	}
}

func fillNothing(context.Context, Job) error { return nil }

const jobVariable = "BENCH_JOB"

// child is this program again, as a contender.
func child(name string) func(Job) (*exec.Cmd, error) {
	return func(job Job) (*exec.Cmd, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
		text, err := json.Marshal(job)
		if err != nil {
			return nil, err
		}
		cmd := exec.Command(self, Verb, name)
		cmd.Env = append(os.Environ(), jobVariable+"="+string(text))
		return cmd, nil
	}
}

// Verb is the first argument of this program where it is a contender.
const Verb = "contend"

// Run is the work of such a process, until SIGTERM.
func Run(name string) error {
	run, known := map[string]func(context.Context, Job) error{
		Pure: runPure, Watermill: runWatermill, River: runRiver,
	}[name]
	if !known {
		return fmt.Errorf("no contender is called %q", name)
	}
	var job Job
	if err := json.Unmarshal([]byte(os.Getenv(jobVariable)), &job); err != nil {
		return fmt.Errorf("read %s: %w", jobVariable, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return run(ctx, job)
}
