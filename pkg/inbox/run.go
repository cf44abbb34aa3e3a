package inbox

import (
	"cmp"
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
	firstPause, maxPause time.Duration // between sessions
	attempt              time.Duration // how long one transaction may take
	grace                time.Duration // how long the batch in hand may take at the end
	prove                time.Duration // between two looks at the rights
	hold                 time.Duration // how long a message is held without acknowledgement
	rule                 rule          // who is to blame
}

var standard = timing{
	firstPause: 100 * time.Millisecond,
	maxPause:   3 * time.Second,
	attempt:    time.Minute,
	grace:      5 * time.Second,
	prove:      10 * time.Second,
	hold:       15 * time.Minute,
	rule:       standardRule,
}

// consumer is one Run.
type consumer struct {
	Config
	timing
	quarantineSQL string
	trouble       *trouble
	judge         *judge
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
	t.rule.crowd = cfg.MaxBatch
	c := &consumer{
		Config: cfg, timing: t, quarantineSQL: sagasql.Query(cfg.Schema, "inbox/quarantine.sql"),
		trouble: &trouble{report: cfg.Report}, judge: &judge{blame: newBlame(t.rule)},
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
		if open := c.judge.suspended(); open != nil && errors.Is(err, ErrCircuitOpen) {
			err = open // with its reason
		}
		c.trouble.ofWork(err)
		if progress || time.Since(opened) > t.maxPause {
			pauses.Reset()
		}
		pause := max(pauses.NextBackOff(), c.judge.probeIn())
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
	c.trouble.ofWork(c.judge.suspended())
	c.Log.Info("consuming")
	ctx, end := context.WithCancelCause(ctx)
	k := &keepers{consumer: c, ctx: ctx, end: end}
	defer func() {
		end(nil)
		k.all.Wait()
		// The reason why the session ended is known better by err.
		if cerr := source.Close(); cerr != nil && err == nil {
			err = cerr
		}
	}()
	if c.judge.suspended() != nil {
		if err := k.probe(ctx, source); err != nil {
			return false, err
		}
	}
	for ctx.Err() == nil {
		if err := k.round(ctx, source); err != nil {
			return progress, cmp.Or(context.Cause(ctx), err)
		}
		progress = true
	}
	return progress, context.Cause(ctx)
}

// round is one batch from receive to acknowledgement.
func (k *keepers) round(ctx context.Context, source Source) error {
	batch, err := source.Receive(ctx, k.MaxBatch)
	if err != nil {
		return fmt.Errorf("receive from %w: %w", ErrBroker, err)
	}
	work, cancel := outlive(ctx, k.grace)
	defer cancel()
	return k.finish(work, batch, all(batch.Deliveries()), nil)
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
