package scenario

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"go.example/saga/bench/internal/contender"
	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/wire"
)

// measurement is one contender that drains one backlog.
type measurement struct {
	contender contender.Contender
	kind      lab.Kind
	// backlog is how many rows wait, timed how many of them are waited for.
	backlog, timed int
	// hold keeps something open in the meantime; nil holds nothing.
	hold func(ctx context.Context, database string) (release func(), err error)
}

// each is for how many messages CPU seconds are told.
const each = 100_000

// figures are what a measurement brought. CPU is in seconds for each 100,000
// messages, memory in MiB, first in seconds.
type figures struct {
	rate, first, memory float64
	cpu                 lab.Reading
}

func (e Env) measure(ctx context.Context, m measurement) (f figures, err error) {
	queue, err := e.Lab.Queue(m.kind)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, queue.Delete(), e.Lab.DropDatabases(context.WithoutCancel(ctx))) }()
	job, err := e.job(ctx, queue, m.backlog)
	if err != nil {
		return f, err
	}
	if m.hold != nil {
		release, err := m.hold(ctx, job.Database)
		if err != nil {
			return f, err
		}
		defer release()
	}
	if err := m.contender.Fill(ctx, job); err != nil {
		return f, err
	}
	if err := calm(ctx, job.Database); err != nil {
		return f, err
	}
	f, err = e.drain(ctx, m, job, queue)
	if err != nil {
		return f, fmt.Errorf("%s on a %s queue: %w", m.contender.Name, m.kind, err)
	}
	e.Say("%-10s %-8s %8.0f messages/s", m.contender.Name, m.kind, f.rate)
	return f, nil
}

func (e Env) job(ctx context.Context, queue *lab.Queue, rows int) (contender.Job, error) {
	database, err := e.Lab.Database(ctx)
	return contender.Job{Database: database, AMQP: e.Lab.AMQP, Queue: queue.Name, Rows: rows}, err
}

// calm does what a server does by itself some time after a table was filled.
func calm(ctx context.Context, database string) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return fmt.Errorf("connect to the filled database: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, statement := range []string{"ANALYZE", "CHECKPOINT"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s after the fill: %w", statement, err)
		}
	}
	return nil
}

func (e Env) drain(ctx context.Context, m measurement, job contender.Job, queue *lab.Queue) (f figures, err error) {
	command, err := m.contender.Command(job)
	if err != nil {
		return f, err
	}
	process, err := e.Lab.Start(command)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, process.Stop()) }()
	reader, err := queue.Read()
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	before := e.Lab.Meter.Read(process.PID())
	progress, err := reader.Watch(ctx, process, m.timed)
	if err != nil {
		return f, err
	}
	f = figures{
		rate:   progress.Rate,
		first:  progress.First.Seconds(),
		memory: process.PeakMemory(),
		cpu:    e.Lab.Meter.Read(process.PID()).Since(before, each, m.timed),
	}
	return f, wire.NewSource(job.Queue, job.Rows).Check(reader.First())
}
