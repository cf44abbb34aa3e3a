package relay

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/outbox/outboxpg"
)

// Engine relays one shard of the outbox of one database. It shares nothing with
// other engines of the process.
type Engine struct {
	cfg    Config
	board  *board
	limits limits
	random func() float64
	// suspects are rows that may have broken the last session.
	suspects map[int64]bool
	doubts   *doubts
}

// limits are fixed; tests shorten them.
type limits struct {
	call    time.Duration // one small statement
	read    time.Duration // a page, or measuring a window of many millions of rows
	confirm time.Duration // the wait for one confirm
	grace   time.Duration // the confirms in flight when told to stop
	save    time.Duration // longest time from what was done to the write of the position
	rebase  time.Duration // rewriting a log that came by a dump
	// A refused message is tried again after retry, then twice that and so on up to
	// longestRetry.
	retry, longestRetry time.Duration
}

var defaultLimits = limits{
	call:    5 * time.Second,
	read:    2 * time.Minute,
	confirm: 30 * time.Second,
	grace:   10 * time.Second,
	save:    100 * time.Millisecond,
	rebase:  time.Hour,

	retry:        time.Second,
	longestRetry: time.Minute,
}

// New checks the configuration and makes an engine. It connects to nothing.
func New(cfg Config) (*Engine, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	return &Engine{
		cfg: cfg, board: newBoard(cfg), limits: defaultLimits, random: rand.Float64,
		suspects: map[int64]bool{}, doubts: &doubts{exchanges: map[string]doubt{}},
	}, nil
}

// Status is safe for concurrent use.
func (e *Engine) Status() Status { return e.board.get() }

// Run relays until ctx is done. Then it reads no more, waits up to 10 s for the
// confirms in flight, saves the position, releases the lease and returns nil. When
// the outbox has fewer shards by now it returns [outboxpg.ErrNoShard]. It is to be
// called once.
func (e *Engine) Run(ctx context.Context) error {
	pause := newBackOff()
	for ctx.Err() == nil {
		before := e.Status().PublishedID
		err := e.turn(ctx)
		if e.Status().PublishedID != before {
			pause.Reset()
		}
		var held *outboxpg.HeldError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, outboxpg.ErrNoShard):
			return err
		case errors.Is(err, errRebased):
		case errors.As(err, &held), errors.Is(err, outboxpg.ErrLost), errors.Is(err, errLeaseOver):
			e.board.set(Standby, "")
			sleep(ctx, standbyPause)
		default:
			e.board.set(stateOf(err), err.Error())
			sleep(ctx, pause.NextBackOff())
		}
	}
	return nil
}

// turn takes the lease, opens a session and streams until one of them ends.
func (e *Engine) turn(ctx context.Context) error {
	asked := time.Now()
	// Not broken off by the end of ctx: a lease that is taken and not known of would
	// keep the others out.
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(e.limits.call, e.cfg.Lease/3))
	tenure, err := e.cfg.Log.Acquire(asking, e.cfg.Shard, e.cfg.Holder, e.cfg.Lease)
	cancel()
	if errors.Is(err, outboxpg.ErrForeign) {
		err = e.rebase(ctx)
	}
	if err != nil {
		return databaseFault(err)
	}
	h := newHold(ctx, e, tenure, asked)
	defer h.end()
	if h.publisher, err = e.cfg.Open(h.front); err != nil {
		err = brokerFault(err)
	} else {
		defer func() { _ = h.publisher.Close() }()
		err = h.work()
	}
	if cause := context.Cause(h.ctx); cause != nil {
		err = cause // why everything was stopped explains more than what broke by it
	}
	if ctx.Err() == nil && err != nil {
		h.ledger.fail(err.Error())
	}
	return err
}

// errRebased ends a turn whose log had to be made whole first.
var errRebased = errors.New("the outbox was made whole")

// rebase makes a log whole that was restored from a dump, and says so loudly: what
// was published after the dump was made goes out again.
func (e *Engine) rebase(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.limits.rebase)
	defer cancel()
	e.board.log.Warn("the outbox was restored from a dump of another cluster: its rows are being renumbered, writers wait")
	pending, err := e.cfg.Log.Rebase(ctx)
	if err != nil {
		return err
	}
	e.board.log.Warn("the outbox is whole again; what the dump does not count as published will be published, "+
		"with the same message ids as before", zap.Int64("messages", pending))
	return errRebased
}
