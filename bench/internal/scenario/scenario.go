// Package scenario holds what is measured: the drain of a backlog beside the
// peers, the latency of a single message, and the drain under what makes other
// outboxes slow.
//
// Every measurement has a database and a queue of its own, and begins with the
// statistics gathered and the checkpoint done that filling the table calls for:
// neither shall fall into somebody's time.
package scenario

import (
	"context"
	"time"

	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/suite"
)

// Env is what all scenarios share.
type Env struct {
	Lab *lab.Lab
	// Relay is the path of the relay's program.
	Relay string
	// Rows is how many messages a fast contender moves in a round of the drain.
	Rows int
	// Rounds is how often each contender has its turn.
	Rounds int
	// Held is how many messages pass while a transaction is held open.
	Held int
	// Backlog is how many messages wait in the largest one.
	Backlog int
	// Latency is how long each round of single messages takes.
	Latency time.Duration
	// Say takes a line of progress.
	Say func(format string, values ...any)
}

// Result is what a scenario found.
type Result = suite.Result

// Scenario is one part of the run.
type Scenario struct {
	Name string
	Run  func(Env, context.Context) (Result, error)
}

// All are the scenarios in the order in which they run.
var All = []Scenario{
	{"drain", Env.Drain},
	{"latency", Env.Latencies},
	{"held", Env.HeldOpen},
	{"retention", Env.Retention},
	{"backlog", Env.LargeBacklog},
}
