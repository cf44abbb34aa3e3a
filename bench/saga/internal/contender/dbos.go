package contender

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/bench/saga/internal/booking"
)

// dbosStop bounds the end of DBOS.
const dbosStop = 10 * time.Second

// workflow is the order as a workflow of DBOS, whose tables are in the reservation's
// database, where this system has its sagas. What happens there is one transaction
// with the record of the step. In the other databases a step is a transaction, and
// its record another one: DBOS's quicker way, in which a crash between the two
// repeats the step.
type workflow struct {
	pools
	dbos         dbos.Context
	reservations *dbos.DataSource
}

func openDBOS(ctx context.Context, job Job) (place, func(), error) {
	p, err := connect(ctx, job.Databases)
	if err != nil {
		return nil, nil, err
	}
	w := &workflow{pools: p}
	if err := w.start(ctx); err != nil {
		p.close()
		return nil, nil, fmt.Errorf("start dbos: %w", err)
	}
	return w.place, func() {
		_ = dbos.Shutdown(w.dbos, dbosStop) // closes the pool that it was given
		p.hotel.Close()
		p.payment.Close()
	}, nil
}

func (w *workflow) start(ctx context.Context) (err error) {
	w.dbos, err = dbos.NewContext(ctx, dbos.Config{
		AppName: "bench", ApplicationVersion: "1", SystemDBPool: w.reservation,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	if w.reservations, err = dbos.NewDataSource(w.dbos, w.reservation); err != nil {
		return err
	}
	dbos.RegisterWorkflow(w.dbos, w.run)
	return dbos.Launch(w.dbos)
}

// place starts the workflow, whose first step inserts the reservation. It is durable
// before that.
func (w *workflow) place(_ context.Context, o booking.Order) (end, error) {
	j, err := booking.NewJob(o)
	if err != nil {
		return nil, err
	}
	handle, err := dbos.RunWorkflow(w.dbos, w.run, j, dbos.WithWorkflowID(j.ID.String()))
	if err != nil {
		return nil, err
	}
	return func(context.Context) error {
		_, err := handle.GetResult(dbos.WithHandleTimeout(endTime))
		return err
	}, nil
}

// none is the result of steps that have none.
type none struct{}

func (w *workflow) run(ctx dbos.Context, j booking.Job) (none, error) {
	steps := []func() error{
		func() error { return w.atReservation(ctx, "place", j.Place) },
		func() error { return step(ctx, "book", w.hotel, j.Book) },
		func() error { return step(ctx, "charge", w.payment, j.Charge) },
	}
	if j.Order.Declined() {
		steps = append(steps, func() error { return step(ctx, "release", w.hotel, j.Release) })
	}
	steps = append(steps, func() error { return w.atReservation(ctx, "finish", j.Finish) })
	for _, one := range steps {
		if err := one(); err != nil {
			return none{}, err
		}
	}
	return none{}, nil
}

func (w *workflow) atReservation(ctx dbos.Context, name string, work func(context.Context, booking.Exec) error) error {
	_, err := dbos.RunAsTransaction(ctx, w.reservations, func(ctx context.Context, tx dbos.Tx) (none, error) {
		return none{}, work(ctx, func(ctx context.Context, statement string, values ...any) error {
			_, err := tx.Exec(ctx, statement, values...)
			return err
		})
	}, dbos.WithStepName(name))
	return err
}

func step(ctx dbos.Context, name string, pool *pgxpool.Pool, work func(context.Context, pgx.Tx) error) error {
	_, err := dbos.RunAsStep(ctx, func(ctx context.Context) (none, error) {
		return none{}, inTx(ctx, pool, func(tx pgx.Tx) error { return work(ctx, tx) })
	}, dbos.WithStepName(name))
	return err
}
