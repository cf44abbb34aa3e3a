package inbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox/blame"
	sagasql "go.example/saga/sql"
)

// timing holds the pauses of the loop. Tests make them short.
type timing struct {
	firstPause, maxPause time.Duration // between sessions
	attempt              time.Duration // how long one transaction may take beyond the limit of one delivery
	grace                time.Duration // how long the batch in hand may take at the end
	prove                time.Duration // between two looks at the rights
	hold                 time.Duration // how long a message is held without acknowledgement
	upkeep               time.Duration // between two looks at what is due in the quarantine
	forget               time.Duration // between two looks at what is old there
	gather               time.Duration // for how long a probe waits for more messages to choose from
	ready                time.Duration // between two questions whether it may take messages
	finish               time.Duration // how long what is in hand may take when it may not any more
	rule                 blame.Rule    // who is to blame
}

var standard = timing{
	firstPause: 100 * time.Millisecond,
	maxPause:   3 * time.Second,
	attempt:    30 * time.Second,
	grace:      5 * time.Second,
	prove:      10 * time.Second,
	hold:       15 * time.Minute,
	upkeep:     5 * time.Second,
	forget:     10 * time.Minute,
	gather:     200 * time.Millisecond,
	ready:      500 * time.Millisecond,
	finish:     time.Second,
	rule:       blame.Standard,
}

// consumer is one Run.
type consumer struct {
	Config
	timing
	quarantineSQL, knownSQL string
	trouble                 *trouble
	later                   *postponed
	judge                   *judge
	source                  atomic.Pointer[Source] // the session that is open
	declared                bool                   // a session was opened: there is a queue
}

// Run consumes until ctx ends, then finishes the batch in hand and returns nil.
// Nothing else ends it but a wrong configuration, which includes a queue or a database that
// is another service's, see [ErrOwned] and [sagasql.ErrOtherService]: broker and database may
// be absent at the start and go away at any time.
func Run(ctx context.Context, cfg Config) error { return run(ctx, cfg, standard) }

func run(ctx context.Context, cfg Config, t timing) error {
	cfg, err := cfg.complete()
	if err != nil {
		return err
	}
	// Nothing may cut off work that is within its limit.
	t.attempt += cfg.Limit
	t.rule.Crowd = cfg.MaxBatch
	if cfg.Patience > 0 {
		t.rule.Alone, t.rule.Quiet = cfg.Patience, 10*cfg.Patience
	}
	later := &postponed{serials: map[uint64]bool{}}
	cfg.Handle = later.around(cfg.Handle)
	c := &consumer{
		Config: cfg, timing: t, later: later,
		quarantineSQL: sagasql.Query(cfg.Schema, "inbox/quarantine.sql"), knownSQL: sagasql.Query(cfg.Schema, "inbox/known.sql"),
		trouble: &trouble{report: cfg.Report}, judge: &judge{blame: blame.New(t.rule, rand.Uint64())}, //nolint:gosec // it only has to differ from process to process
	}
	defer c.trouble.ofWork(errStopped)
	ctx, end := context.WithCancel(ctx)
	var watch sync.WaitGroup
	defer watch.Wait()
	watch.Go(func() { c.watchRights(ctx) })
	watch.Go(func() { c.upkeepQuarantine(ctx) })
	work, cancel := outlive(ctx, c.grace)
	defer cancel()
	d := newDispatcher(c)
	d.start(ctx, work)
	defer d.workers.Wait()
	defer end() // before both are waited for
	pauses := c.pauses()
	for rest := (resting{}); ctx.Err() == nil; {
		opened := time.Now()
		progress, err := d.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, ErrOwned) || errors.Is(err, sagasql.ErrOtherService) {
			return err
		}
		if open := c.judge.suspended(); open != nil && errors.Is(err, ErrCircuitOpen) {
			err = open // with its reason
		}
		c.trouble.ofWork(err)
		if errors.Is(err, ErrNotReady) {
			rest.tell(c.Log, err)
			pauses.Reset()
			wait(ctx, c.timing.ready)
			continue
		}
		rest = resting{}
		if progress || time.Since(opened) > t.maxPause {
			pauses.Reset()
		}
		pause := max(pauses.NextBackOff(), c.judge.probeIn())
		c.Log.Warn("the session ended, opening another", zap.Error(err), zap.Duration("pause", pause))
		wait(ctx, pause)
	}
	return nil
}

// session opens one session and hands out what it delivers, until it fails. It reports
// whether something of it was done.
func (d *dispatcher) session(ctx context.Context) (progress bool, err error) {
	if err := d.prove(ctx); err != nil {
		return false, fmt.Errorf("the database is not ready: %w", err)
	}
	owner, err := sagasql.LoadService(ctx, d.DB, d.Schema, d.Service)
	if err != nil {
		return false, fmt.Errorf("the database is not ready: %w", err)
	}
	notReady := d.ready(ctx)
	if notReady != nil && d.declared {
		return false, notReady
	}
	source, err := d.Open(ctx, owner)
	if err != nil {
		return false, fmt.Errorf("open a session with %w: %w", ErrBroker, err)
	}
	d.declared = true
	if notReady != nil { // the queue is there now, and is this service's
		_ = source.Close()
		return false, notReady
	}
	d.trouble.ofWork(d.judge.suspended())
	d.Log.Info("consuming")
	d.source.Store(&source)
	defer d.source.Store(nil)
	session, end := context.WithCancelCause(ctx)
	f := &feed{consumer: d.consumer, ctx: session, end: end}
	f.keeping.Go(func() { f.watchReady() })
	if err = d.probe(session, source, f); err == nil {
		err = d.serve(session, source, f)
	}
	if ctx.Err() != nil {
		d.workers.Wait() // what is in hand is finished and acknowledged
	}
	progress = d.leave(f)
	if why := context.Cause(session); ctx.Err() == nil && errors.Is(why, ErrNotReady) {
		err = why
		d.finishOf(ctx, f)
	}
	end(nil)
	f.keeping.Wait()
	// The reason why the session ended is known better by err.
	_ = source.Close()
	return progress, err
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
