package relay

import (
	"context"
	"errors"
	"time"

	"go.example/saga/pkg/outbox/outboxpg"
)

// Engine relays the outbox of one database. It shares nothing with other engines
// of the process.
type Engine struct {
	cfg   Config
	board *board
	// suspects is how many of the next rows may have broken the last session.
	suspects int
	limits   limits
}

// limits are fixed; tests shorten them.
type limits struct {
	call    time.Duration // one small statement
	confirm time.Duration // the wait for one confirm
	grace   time.Duration // the confirms in flight when told to stop
	save    time.Duration // least time between two writes of the position
}

var defaultLimits = limits{
	call:    5 * time.Second,
	confirm: 30 * time.Second,
	grace:   10 * time.Second,
	save:    50 * time.Millisecond,
}

// New checks the configuration and makes an engine. It connects to nothing.
func New(cfg Config) (*Engine, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	return &Engine{cfg: cfg, board: newBoard(cfg.Name, cfg.Logger), limits: defaultLimits}, nil
}

// Status is safe for concurrent use.
func (e *Engine) Status() Status { return e.board.get() }

// Run relays until ctx is done. Then it reads no more, waits up to 10 s for the
// confirms in flight, saves the position, releases the lease and returns nil. It
// is to be called once.
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
	asking, cancel := context.WithTimeout(ctx, e.limits.call)
	tenure, err := e.cfg.Log.Acquire(asking, e.cfg.Holder, e.cfg.Lease)
	cancel()
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
	if ctx.Err() == nil {
		h.ledger.fail(err)
	}
	return err
}
