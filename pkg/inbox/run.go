package inbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	sagasql "go.example/saga/sql"
)

// timing holds the pauses and patience of the loop. Tests make them short.
type timing struct {
	firstPause, maxPause time.Duration // between sessions, and between repeats
	patience             time.Duration // how long a batch is repeated in process
	attempt              time.Duration // how long one transaction may take
	grace                time.Duration // how long the batch in hand may take at the end
	prove                time.Duration // between two looks at the rights
	tries                int           // of an unknown error of a single delivery
}

var standard = timing{
	firstPause: 100 * time.Millisecond,
	maxPause:   3 * time.Second,
	patience:   time.Minute,
	attempt:    time.Minute,
	grace:      5 * time.Second,
	prove:      10 * time.Second,
	tries:      3,
}

// consumer is one Run.
type consumer struct {
	Config
	timing
	quarantineSQL string
	trouble       *trouble
}

// Run consumes until ctx ends, then finishes the batch in hand and returns nil.
// Nothing else ends it but a wrong configuration: broker and database may be
// absent at the start and go away at any time.
func Run(ctx context.Context, cfg Config) error { return run(ctx, cfg, standard) }

func run(ctx context.Context, cfg Config, t timing) error {
	cfg, err := cfg.complete()
	if err != nil {
		return err
	}
	c := &consumer{
		Config: cfg, timing: t, quarantineSQL: sagasql.Query(cfg.Schema, "inbox/quarantine.sql"),
		trouble: &trouble{report: cfg.Report},
	}
	defer c.trouble.ofWork(errStopped)
	var watch sync.WaitGroup
	defer watch.Wait()
	watch.Go(func() { c.watchRights(ctx) })
	pauses := c.pauses()
	for ctx.Err() == nil {
		opened := time.Now()
		progress, err := c.session(ctx)
		if ctx.Err() != nil {
			break
		}
		c.trouble.ofWork(err)
		if progress || time.Since(opened) > t.maxPause {
			pauses.Reset()
		}
		pause := pauses.NextBackOff()
		c.Log.Warn("the session ended, opening another", zap.Error(err), zap.Duration("pause", pause))
		wait(ctx, pause)
	}
	return nil
}

// session opens one session and works until it fails. It reports whether at
// least one batch was done.
func (c *consumer) session(ctx context.Context) (progress bool, err error) {
	if err := c.prove(ctx); err != nil {
		return false, fmt.Errorf("the database is not ready: %w", err)
	}
	source, err := c.Open(ctx)
	if err != nil {
		return false, fmt.Errorf("open a session with %w: %w", ErrBroker, err)
	}
	c.trouble.ofWork(nil)
	c.Log.Info("consuming")
	defer func() {
		// The reason why the session ended is known better by err.
		if cerr := source.Close(); cerr != nil && err == nil {
			err = cerr
		}
	}()
	for ctx.Err() == nil {
		if err := c.round(ctx, source); err != nil {
			return progress, err
		}
		progress = true
	}
	return progress, nil
}

// round is one batch from receive to acknowledgement.
func (c *consumer) round(ctx context.Context, source Source) error {
	batch, err := source.Receive(ctx, c.MaxBatch)
	if err != nil {
		return fmt.Errorf("receive from %w: %w", ErrBroker, err)
	}
	work, cancel := outlive(ctx, c.grace)
	defer cancel()
	if err := c.process(work, batch.Deliveries()); err != nil {
		return fmt.Errorf("process a batch, it will be delivered again: %w", err)
	}
	if err := batch.Ack(); err != nil {
		return fmt.Errorf("acknowledge a processed batch to %w, it will be delivered again: %w", ErrBroker, err)
	}
	return nil
}

// pauses is an endless exponential backoff with jitter.
func (c *consumer) pauses() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = c.firstPause, c.maxPause
	b.RandomizationFactor, b.Multiplier = 0.5, 2
	b.Reset()
	return b
}

// wait returns after d or at the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

var errGrace = errors.New("shutting down")

// outlive is a context that ends a while after its parent, so that the work in
// hand can be finished.
func outlive(parent context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(parent))
	stop := context.AfterFunc(parent, func() {
		timer := time.AfterFunc(grace, func() { cancel(errGrace) })
		context.AfterFunc(ctx, func() { timer.Stop() })
	})
	return ctx, func() { stop(); cancel(nil) }
}
