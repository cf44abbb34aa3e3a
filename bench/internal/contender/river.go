package contender

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"go.example/saga/bench/internal/wire"
	"go.example/saga/pkg/outbox"
)

// River is a job queue: a job carries a message, and its worker publishes it.

const (
	riverWorkers = 1000
	riverPool    = 10
	riverBatch   = 5000
)

// publishArgs are a job's arguments: the message.
type publishArgs struct{ outbox.Message }

// Kind implements [river.JobArgs].
func (publishArgs) Kind() string { return "publish" }

// publishWorker publishes a message and waits for its confirmation. All workers
// share a channel: each has one message on the way.
type publishWorker struct {
	river.WorkerDefaults[publishArgs]
	channel *amqp.Channel
}

// Work implements [river.Worker].
func (w *publishWorker) Work(ctx context.Context, job *river.Job[publishArgs]) error {
	m := job.Args.Message
	confirmation, err := send(w.channel, m.RoutingKey, wire.Publishing(m, job.CreatedAt))
	if err != nil {
		return err
	}
	acked, err := confirmation.WaitContext(ctx)
	if err != nil {
		return fmt.Errorf("wait for a confirmation: %w", err)
	}
	if !acked {
		return errNacked
	}
	return nil
}

// fillRiver inserts with COPY, the library's fastest way.
func fillRiver(ctx context.Context, job Job) error {
	pool, err := riverConnect(ctx, job)
	if err != nil {
		return err
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: riverLogger()})
	if err != nil {
		return fmt.Errorf("make river's migrator: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("make river's tables: %w", err)
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: riverLogger()})
	if err != nil {
		return fmt.Errorf("make river's client: %w", err)
	}
	return riverInsert(ctx, client, job)
}

func riverInsert(ctx context.Context, client *river.Client[pgx.Tx], job Job) error {
	source := job.source()
	for first := 0; first < job.Rows; first += riverBatch {
		var jobs []river.InsertManyParams
		for n := first; n < min(first+riverBatch, job.Rows); n++ {
			jobs = append(jobs, river.InsertManyParams{Args: publishArgs{source.Message(n)}})
		}
		if _, err := client.InsertManyFast(ctx, jobs); err != nil {
			return fmt.Errorf("insert river's jobs: %w", err)
		}
	}
	return nil
}

func runRiver(ctx context.Context, job Job) error {
	pool, err := riverConnect(ctx, job)
	if err != nil {
		return err
	}
	defer pool.Close()
	channel, hangUp, err := confirming(job.AMQP)
	if err != nil {
		return err
	}
	defer hangUp()
	workers := river.NewWorkers()
	river.AddWorker(workers, &publishWorker{channel: channel})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		// The intervals of River's own benchmark.
		FetchCooldown:     2 * time.Millisecond,
		FetchPollInterval: 20 * time.Millisecond,
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: riverWorkers}},
		Workers:           workers,
		Logger:            riverLogger(),
	})
	if err != nil {
		return fmt.Errorf("make river's client: %w", err)
	}
	if err := client.Start(ctx); err != nil {
		return fmt.Errorf("start river: %w", err)
	}
	<-ctx.Done()
	<-client.Stopped()
	return nil
}

func riverConnect(ctx context.Context, job Job) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(job.Database)
	if err != nil {
		return nil, fmt.Errorf("the database's URL: %w", err)
	}
	config.MaxConns = riverPool
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect for river: %w", err)
	}
	return pool, nil
}

func riverLogger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
