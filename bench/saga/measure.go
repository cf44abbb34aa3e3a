package main

import (
	"context"
	"errors"

	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/stats"
	"go.example/saga/bench/internal/suite"
	"go.example/saga/bench/saga/internal/contender"
	"go.example/saga/bench/saga/internal/scenario"
)

// measure runs the scenarios. The bars are valid also with an error.
func (o options) measure(ctx context.Context) (bars []stats.Bar, err error) {
	l, err := lab.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	suite.Say("building the programs")
	programs, err := l.Build(ctx, contender.Programs...)
	if err != nil {
		return nil, err
	}
	env := scenario.Env{
		Lab: l, Programs: programs, Orders: o.orders, Running: o.running, Rounds: o.Rounds, Latency: o.Latency, Finished: o.finished,
	}
	run := suite.Suite{Options: o.Options, Target: "bench-saga"}
	for _, s := range scenario.All {
		run.Parts = append(run.Parts, suite.Part{
			Name: s.Name,
			Run:  func(ctx context.Context) (suite.Result, error) { return s.Run(env, ctx) },
		})
	}
	return run.Run(ctx, l)
}
