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
	unsaved  *unsaved
	// silent: the last session had no confirm when it should have, and none has come since.
	silent bool
	// renewals are the sessions since the broker was last away that were given up for a
	// repeated refusal.
	renewals int
}

// limits are fixed; tests shorten them.
type limits struct {
	call    time.Duration // one small statement
	read    time.Duration // a page, or measuring a window of many millions of rows
	quiet   time.Duration // the wait for one confirm that nobody need know of
	confirm time.Duration // the wait for one confirm
	grace   time.Duration // the confirms in flight when told to stop
	save    time.Duration // longest time from what was done to the write of the position
	rebase  time.Duration // rewriting a log that came by a dump
	// A refused message is tried again after retry, then twice that and so on up to
	// longestRetry.
	retry, longestRetry time.Duration
	renew               time.Duration // the age at which the first session is given up for a repeated refusal
}

var defaultLimits = limits{
	call:    5 * time.Second,
	read:    2 * time.Minute,
	quiet:   5 * time.Second,
	confirm: 30 * time.Second,
	grace:   10 * time.Second,
	save:    100 * time.Millisecond,
	rebase:  time.Hour,

	retry:        time.Second,
	longestRetry: time.Minute,
	renew:        time.Second,
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
	pauses := newPauses()
	for ctx.Err() == nil {
		before := e.Status().Confirmed
		saved, err := e.turn(ctx)
		if saved && e.unsaved == nil {
			pauses.reset()
		}
		state, unwritten := stateOf(err), e.unsaved != nil && e.Status().Confirmed > before
		var held *outboxpg.HeldError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, outboxpg.ErrNoShard):
			return err
		case errors.Is(err, errRebased):
		case errors.Is(err, errRenew):
			e.renewals++
		case errors.Is(err, outboxpg.ErrMoved):
			e.board.log.Warn("loads its position anew", zap.Error(err))
			sleep(ctx, firstRetry)
		case errors.As(err, &held), errors.Is(err, outboxpg.ErrLost), errors.Is(err, errLeaseOver):
			e.silent = false // what is sent is the other's
			if !e.unsaved.recent() {
				e.board.set(Standby, "")
			}
			sleep(ctx, standbyPause)
		default:
			e.renewals = 0
			e.cfg.Faults.Count(TaskPublish, err)
			e.board.set(state, err.Error())
			sleep(ctx, pauses.next(state, unwritten))
		}
	}
	return nil
}

// turn takes the lease, opens a session and streams until one of them ends. It says
// whether the database has taken what it wrote last.
func (e *Engine) turn(ctx context.Context) (saved bool, err error) {
	asked := time.Now()
	// Not broken off by the end of ctx: a lease that is taken and not known of would
	// keep the others out.
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(e.limits.call, e.cfg.Lease/3))
	defer cancel()
	tenure, err := e.cfg.Log.Acquire(asking, e.cfg.Shard, e.cfg.Holder, e.cfg.Lease)
	if errors.Is(err, outboxpg.ErrForeign) {
		err = e.rebase(ctx)
	}
	if outboxpg.Refused(err) {
		// Nobody else says it to who looks at the database. It fails for the same reason, or not.
		_ = e.cfg.Log.Complain(asking, e.cfg.Shard, err.Error())
	}
	if err != nil {
		return false, databaseFault(err)
	}
	if tenure.Void() {
		e.board.void(1, 0)
		e.board.log.Warn("took over a lease that had not been renewed for its length, and was not over by the database's clock: the clock was set back")
	}
	if former := tenure.FormerTimeline(); former != 0 {
		e.board.failedOver()
		e.board.log.Warn("the database has another timeline than at the lease before: a standby was promoted, or an older state was "+
			"restored. Commits may have been lost with it, here alone: compare with the other databases", zap.Int64("former_timeline", former))
	}
	h := newHold(ctx, e, tenure, asked)
	err = h.run()
	if cause := context.Cause(h.ctx); cause != nil {
		err = cause // why everything was stopped explains more than what broke by it
	}
	if ctx.Err() == nil && err != nil && !errors.Is(err, errRenew) {
		h.ledger.fail(err.Error())
	}
	return h.end(err)
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
