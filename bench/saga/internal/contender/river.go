package contender

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"golang.org/x/sync/errgroup"

	"go.example/saga/bench/saga/internal/booking"
)

// riverWorkers is how many jobs a client works on at a time: about as many as River's
// authors found best for their own benchmark, and all orders that are under way.
const riverWorkers = 1000

// A chain of River's jobs, made by hand. River inserts a job in the transaction of
// other work only within one database, so each database has River's tables and a
// client: a step's transaction does its work and inserts the next job beside it, and
// the next step's transaction is in another database again.
//
//	reservation tx{insert, job book} ─► hotel tx{book, job charge} ─► payment tx{charge, job finish} ─► reservation tx{finish}
//	                                                          declined ─► payment tx{job release} ─► hotel tx{release, job finish} ─► …
type chain struct {
	pools
	atReservation, atHotel, atPayment *river.Client[pgx.Tx]
	endings                           *endings
}

type (
	bookArgs    struct{ booking.Job }
	chargeArgs  struct{ booking.Job }
	releaseArgs struct{ booking.Job }
	finishArgs  struct{ booking.Job }
)

// Kind implements [river.JobArgs].
func (bookArgs) Kind() string { return "book" }

// Kind implements [river.JobArgs].
func (chargeArgs) Kind() string { return "charge" }

// Kind implements [river.JobArgs].
func (releaseArgs) Kind() string { return "release" }

// Kind implements [river.JobArgs].
func (finishArgs) Kind() string { return "finish" }

func openRiver(ctx context.Context, job Job) (place, func(), error) {
	p, err := connect(ctx, job.Databases)
	if err != nil {
		return nil, nil, err
	}
	c := &chain{pools: p, endings: newEndings()}
	if err := c.start(ctx); err != nil {
		return nil, nil, errors.Join(err, c.stop(ctx))
	}
	return c.place, func() { _ = c.stop(ctx) }, nil
}

func (c *chain) start(ctx context.Context) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(c.book))
	river.AddWorker(workers, river.WorkFunc(c.charge))
	river.AddWorker(workers, river.WorkFunc(c.release))
	river.AddWorker(workers, river.WorkFunc(c.finish))
	group, starting := errgroup.WithContext(ctx)
	for pool, client := range map[*pgxpool.Pool]**river.Client[pgx.Tx]{
		c.reservation: &c.atReservation, c.hotel: &c.atHotel, c.payment: &c.atPayment,
	} {
		group.Go(func() (err error) {
			*client, err = newRiver(starting, pool, workers)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, client := range c.clients() {
		if err := client.Start(ctx); err != nil {
			return fmt.Errorf("start river: %w", err)
		}
	}
	return nil
}

// newRiver makes River's tables in a database and a client for it.
func newRiver(ctx context.Context, pool *pgxpool.Pool, workers *river.Workers) (*river.Client[pgx.Tx], error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: log})
	if err != nil {
		return nil, fmt.Errorf("make river's migrator: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("make river's tables: %w", err)
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		// The intervals of River's own benchmark.
		FetchCooldown:     2 * time.Millisecond,
		FetchPollInterval: 20 * time.Millisecond,
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: riverWorkers}},
		Workers:           workers,
		Logger:            log,
	})
	if err != nil {
		return nil, fmt.Errorf("make river's client: %w", err)
	}
	return client, nil
}

func (c *chain) clients() []*river.Client[pgx.Tx] {
	return []*river.Client[pgx.Tx]{c.atReservation, c.atHotel, c.atPayment}
}

func (c *chain) stop(ctx context.Context) error {
	var errs []error
	for _, client := range c.clients() {
		if client != nil {
			errs = append(errs, client.Stop(ctx))
		}
	}
	c.close()
	return errors.Join(errs...)
}
