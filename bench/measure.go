package main

import (
	"context"
	"errors"
	"path/filepath"

	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/scenario"
	"go.example/saga/bench/internal/stats"
	"go.example/saga/bench/internal/suite"
)

// measure runs the scenarios. The bars are valid also with an error.
func (o options) measure(ctx context.Context) (bars []stats.Bar, err error) {
	l, err := lab.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	suite.Say("building the relay")
	programs, err := l.Build(ctx, "relay")
	if err != nil {
		return nil, err
	}
	env := scenario.Env{
		Lab: l, Relay: filepath.Join(programs, "relay"), Rows: o.rows, Rounds: o.Rounds, Held: o.held, Backlog: o.backlog, Latency: o.Latency, Say: suite.Say,
	}
	run := suite.Suite{Options: o.Options, Target: "bench-relay"}
	for _, s := range scenario.All {
		run.Parts = append(run.Parts, suite.Part{
			Name: s.Name,
			Run:  func(ctx context.Context) (suite.Result, error) { return s.Run(env, ctx) },
		})
	}
	return run.Run(ctx, l)
}
