package scenario

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"go.example/saga/bench/internal/contender"
	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/report"
	"go.example/saga/bench/internal/stats"
)

// atLeastUndisturbed is the part of its rate that a held transaction must leave.
const atLeastUndisturbed = 0.9

// HeldOpen drains the same backlog undisturbed, while a snapshot is held open in
// the database, and while a transaction that has written is held open in another
// one.
func (e Env) HeldOpen(ctx context.Context) (Result, error) {
	table := report.Table{
		Title: "While a transaction is held open",
		Note:  fmt.Sprintf("The relay alone, %d messages to a classic queue, one run each.", e.Held),
		Head:  []string{"held open", "messages/s", "of undisturbed", "own CPU-s", "PostgreSQL CPU-s"},
	}
	var bars []stats.Bar
	var undisturbed float64
	for _, run := range []struct {
		name, bar string
		hold      func(context.Context, string) (func(), error)
	}{
		{"nothing", "", nil},
		{"a REPEATABLE READ snapshot", "held.snapshot", holdSnapshot},
		{"a write transaction in another database", "held.foreign-writer", e.holdForeignWriter},
	} {
		f, err := e.measure(ctx, measurement{
			contender: contender.NewRelay(e.Relay), kind: lab.Classic, backlog: e.Held, timed: e.Held, hold: run.hold,
		})
		if err != nil {
			return Result{}, fmt.Errorf("held open: %s: %w", run.name, err)
		}
		if run.hold == nil {
			undisturbed = f.rate
		} else {
			bars = append(bars, stats.AtLeast(run.bar, f.rate/undisturbed, atLeastUndisturbed))
		}
		table.Rows = append(table.Rows, []string{
			run.name, stats.Number(f.rate), stats.Number(f.rate / undisturbed), stats.Number(f.cpu.Own), stats.Number(f.cpu.Postgres),
		})
	}
	return Result{Tables: []report.Table{table}, Bars: bars}, nil
}

// holdSnapshot holds a snapshot from before the first row on.
func holdSnapshot(ctx context.Context, database string) (func(), error) {
	return hold(ctx, database, pgx.RepeatableRead, `SELECT pg_current_snapshot()`)
}

// holdForeignWriter holds a transaction number in a database that has no outbox.
func (e Env) holdForeignWriter(ctx context.Context, _ string) (func(), error) {
	other, err := e.Lab.Database(ctx)
	if err != nil {
		return nil, err
	}
	return hold(ctx, other, pgx.ReadCommitted, `SELECT pg_current_xact_id()`)
}

func hold(ctx context.Context, database string, isolation pgx.TxIsoLevel, statement string) (func(), error) {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return nil, fmt.Errorf("connect to hold a transaction open: %w", err)
	}
	release := func() { _ = conn.Close(context.WithoutCancel(ctx)) }
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: isolation})
	if err == nil {
		_, err = tx.Exec(ctx, statement)
	}
	if err != nil {
		release()
		return nil, fmt.Errorf("hold a transaction open: %w", err)
	}
	return release, nil
}
