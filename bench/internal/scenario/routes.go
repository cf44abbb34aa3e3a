package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/bench/internal/contender"
	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/wire"
	"go.example/saga/pkg/outbox"
)

// keyed is for how many messages the latency's source makes keys.
const keyed = 10_000

// writers is how many messages can be on their way into the database at a time.
const writers = 8

// send sends message n, and calls leave when its time begins.
type send func(ctx context.Context, n int, leave func()) error

// routes are the two ways to the consumer.
type routes struct {
	clock  *clock
	source wire.Source
	queue  string

	pool    *pgxpool.Pool
	relay   *lab.Process
	conn    *amqp.Connection
	channel *amqp.Channel
}

// openRoutes starts a relay on an empty database and a consumer.
func (e Env) openRoutes(ctx context.Context, queue *lab.Queue) (r *routes, err error) {
	job, err := e.job(ctx, queue, keyed)
	if err != nil {
		return nil, err
	}
	if err := contender.Migrate(ctx, e.Relay, job); err != nil {
		return nil, err
	}
	deliveries, err := queue.Consume()
	if err != nil {
		return nil, err
	}
	r = &routes{clock: newClock(deliveries), source: wire.NewSource(queue.Name, keyed), queue: queue.Name}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if err := r.connect(ctx, job); err != nil {
		return r, err
	}
	command, err := contender.NewRelay(e.Relay).Command(job)
	if err != nil {
		return r, err
	}
	r.relay, err = e.Lab.Start(command)
	return r, err
}

func (r *routes) connect(ctx context.Context, job contender.Job) (err error) {
	config, err := pgxpool.ParseConfig(job.Database)
	if err != nil {
		return fmt.Errorf("the database's URL: %w", err)
	}
	config.MinConns, config.MaxConns = writers, writers
	if r.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return fmt.Errorf("connect to the outbox: %w", err)
	}
	if r.conn, err = amqp.Dial(job.AMQP); err != nil {
		return fmt.Errorf("connect to the broker: %w", err)
	}
	if r.channel, err = r.conn.Channel(); err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	if err = r.channel.Confirm(false); err != nil {
		return fmt.Errorf("switch to confirms: %w", err)
	}
	return nil
}

// direct publishes without a database.
func (r *routes) direct(ctx context.Context, n int, leave func()) error {
	message := wire.Publishing(r.source.Message(n), time.Now())
	leave()
	confirmation, err := r.channel.PublishWithDeferredConfirm("", r.queue, true, false, message)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if _, err := confirmation.WaitContext(ctx); err != nil {
		return fmt.Errorf("wait for a confirmation: %w", err)
	}
	return nil
}

// through appends to the outbox as a service does.
func (r *routes) through(ctx context.Context, n int, leave func()) error {
	tx, err := r.pool.BeginTx(ctx, pgx.TxOptions{})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after a commit
	if err := outbox.Append(ctx, tx, r.source.Message(n)); err != nil {
		return err
	}
	leave()
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func (r *routes) close() error {
	var errs []error
	if r.relay != nil {
		errs = append(errs, r.relay.Stop())
	}
	if r.conn != nil {
		errs = append(errs, r.conn.Close())
	}
	if r.pool != nil {
		r.pool.Close()
	}
	return errors.Join(errs...)
}
