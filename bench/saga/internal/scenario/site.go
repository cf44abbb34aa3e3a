package scenario

import (
	"context"
	"errors"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"

	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/suite"
	"go.example/saga/bench/saga/internal/booking"
	"go.example/saga/bench/saga/internal/contender"
)

// each is for how many sagas CPU seconds are told.
const each = 1000

// warmth is the part of a run's orders that goes ahead and is not timed: the first
// ones open connections and make plans.
const warmth = 0.05

// figures are what a run brought. CPU is in seconds for each 1,000 sagas, memory in
// MiB by process.
type figures struct {
	rate, commits float64
	cpu           lab.Reading
	memory        map[string]float64
	times         *hdrhistogram.Histogram
}

// site is three databases, with the orders that were carried out in them.
type site struct {
	env       Env
	databases booking.Databases
	orders    int
}

func (e Env) newSite(ctx context.Context) (*site, error) {
	if err := e.Lab.FreshVhost(ctx); err != nil {
		return nil, err
	}
	databases, err := booking.Make(ctx, e.Lab.Database)
	return &site{env: e, databases: databases}, err
}

// run has a contender carry out a load, whose first number is the site's to give,
// and compares the databases.
func (s *site) run(ctx context.Context, c contender.Contender, load contender.Load) (f figures, err error) {
	if err := s.databases.Calm(ctx); err != nil {
		return f, err
	}
	before, err := s.env.Lab.Commits(ctx, s.databases.All()...)
	if err != nil {
		return f, err
	}
	begun := s.orders
	if f, err = s.work(ctx, c, load); err != nil {
		return f, fmt.Errorf("%s: %w", c.Name, err)
	}
	after, err := s.env.Lab.Commits(ctx, s.databases.All()...)
	if err != nil {
		return f, err
	}
	f.commits = float64(after-before) / float64(s.orders-begun)
	if err := booking.Compare(ctx, s.databases, s.orders, c.Sagas); err != nil {
		return f, fmt.Errorf("%s: %w", c.Name, err)
	}
	suite.Say("%-12s %8.0f sagas/s, p50 %.1f ms; a saga: %.2f commits, CPU-ms %.2f own, %.2f PostgreSQL, %.2f broker",
		c.Name, f.rate, milliseconds(f.times, 50), f.commits, f.cpu.Own, f.cpu.Postgres, f.cpu.Broker)
	return f, nil
}

// work is the part of a run in which the contender's processes run.
func (s *site) work(ctx context.Context, c contender.Contender, load contender.Load) (f figures, err error) {
	r, err := c.Start(ctx, s.env.Lab, contender.Job{Databases: s.databases, AMQP: s.env.Lab.AMQP})
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, r.Stop()) }()
	warm := load
	warm.Orders = max(1, int(warmth*float64(load.Orders)))
	if _, _, err := s.carry(ctx, r, warm); err != nil {
		return f, err
	}
	before := s.env.Lab.Meter.Read(r.PIDs()...)
	seconds, times, err := s.carry(ctx, r, load)
	if err != nil {
		return f, err
	}
	return figures{
		rate:   float64(load.Orders) / seconds,
		cpu:    s.env.Lab.Meter.Read(r.PIDs()...).Since(before, each, load.Orders),
		memory: r.PeakMemory(),
		times:  times,
	}, nil
}

func (s *site) carry(ctx context.Context, r *contender.Running, load contender.Load) (float64, *hdrhistogram.Histogram, error) {
	load.First = s.orders
	s.orders += load.Orders
	return r.Carry(ctx, load)
}

// once runs a contender on a site of its own.
func (e Env) once(ctx context.Context, c contender.Contender, load contender.Load) (f figures, err error) {
	s, err := e.newSite(ctx)
	defer func() { err = errors.Join(err, e.Lab.DropDatabases(context.WithoutCancel(ctx))) }()
	if err != nil {
		return f, err
	}
	return s.run(ctx, c, load)
}
