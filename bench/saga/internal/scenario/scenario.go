// Package scenario holds what is measured of sagas: how many end in a second and
// what that costs, how long one takes when there is no hurry, and whether those that
// ended long ago slow down the others.
//
// Every run has databases of its own. After it they are compared, and one saga that
// is not as it should be fails the scenario.
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
	// Programs is the directory of the released programs.
	Programs string
	// Orders is how many a fast contender carries out in a round.
	Orders int
	// Running is how many orders may be under way where clients do not wait for ends.
	Running int
	// Rounds is how often each contender has its turn.
	Rounds int
	// Latency is how long each round of single orders takes.
	Latency time.Duration
	// Finished is the largest number of sagas that ended before.
	Finished int
}

// Scenario is one part of the run.
type Scenario struct {
	Name string
	Run  func(Env, context.Context) (suite.Result, error)
}

// All are the scenarios in the order in which they run.
var All = []Scenario{
	{"throughput", Env.Throughput},
	{"latency", Env.Latencies},
	{"finished", Env.FinishedBefore},
}
