package relay

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/outbox/outboxpg"
)

// hold is a tenure at work. Its context outlives the engine's by the grace
// period, and ends earlier when the lease is lost or the broker falls silent.
type hold struct {
	*Engine
	tenure    *outboxpg.Tenure
	publisher Publisher
	opened    time.Time // the publisher
	ledger    *ledger
	troubles  troubles
	// resuming: nothing is done before what the former tenure could not write is written.
	resuming atomic.Bool

	ctx    context.Context // done: nothing more can be confirmed or saved
	cancel context.CancelCauseFunc
	front  context.Context // done earlier, with the engine's: publish nothing new
	unhook func() bool     // cuts front loose from the engine's context
	guards sync.WaitGroup
	// waiting is since when the oldest confirm is awaited, in Unix nanoseconds; 0
	// when none is.
	waiting atomic.Int64
	// quiet: the broker confirms nothing, which is shown until it does, see watch.
	quiet atomic.Bool
}

// newHold begins the work of a tenure that was asked for at asked.
func newHold(ctx context.Context, e *Engine, tenure *outboxpg.Tenure, asked time.Time) *hold {
	h := &hold{Engine: e, tenure: tenure, ledger: newLedger(tenure.Position(), e.cfg.Window)}
	h.troubles.board = e.board
	if e.silent { // a session that can be opened proves nothing
		h.hush()
	}
	h.ctx, h.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	front, retire := context.WithCancel(h.ctx)
	h.front, h.unhook = front, context.AfterFunc(ctx, retire)
	if former := e.unsaved; former != nil {
		h.resuming.Store(true)
		h.troubles.unsaved(former.fault, hasParked(former.written))
		if former.fits(tenure) {
			h.ledger.put(former.written)
		}
	}
	h.guards.Go(func() { h.keep(asked) })
	h.guards.Go(h.watch)
	h.guards.Go(h.limitGrace)
	return h
}

// run writes what the former tenure could not, before anything is sent, opens a session
// and works.
func (h *hold) run() error {
	if h.resuming.Load() && !h.resume() {
		return nil
	}
	publisher, err := h.cfg.Open(h.front)
	if err != nil {
		return brokerFault(err)
	}
	defer func() { _ = publisher.Close() }()
	h.publisher, h.opened = publisher, time.Now()
	return h.work()
}

// end stops the guards, saves for the last time and releases the lease. Where that fails,
// it gives the lease up with the reason alone, or the lease runs out by itself; and what
// could not be written is kept for the next tenure. It returns why the tenure ended, and
// whether all is written.
func (h *hold) end(why error) (saved bool, err error) {
	h.unhook()
	h.cancel(nil)
	h.guards.Wait()
	h.silent = h.quiet.Load()
	h.troubles.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), h.limits.call)
	defer cancel()
	open, progress := h.ledger.due()
	err = h.tenure.Release(ctx, progress)
	switch {
	case err == nil:
		if open.Size() > 0 {
			h.troubles.saved(hasParked(open))
			h.unsaved = nil
		}
		return h.troubles.saves(), why
	case errors.Is(err, outboxpg.ErrLost), errors.Is(err, outboxpg.ErrMoved):
		if why == nil {
			why = err
		}
		h.unsaved = nil // it was done at another present, or another relay does it
		return false, why
	}
	h.cfg.Faults.Count(TaskRelease, err)
	h.board.log.Warn("what was done last could not be written: it is tried again, or done again", zap.Error(err))
	err = databaseFault(err)
	h.unsaved = nil
	if outboxpg.Refused(err) {
		h.unsaved = &unsaved{tenure: h.tenure, written: open, fault: err, since: time.Now()}
		h.abandon(ctx, err)
	}
	var known *fault
	if errors.As(why, &known) && known.state != BrokerDown {
		err = why // it came first
	}
	return false, err
}

func (h *hold) abandon(ctx context.Context, why error) {
	if err := h.tenure.Abandon(ctx, why.Error()); err != nil {
		h.cfg.Faults.Count(TaskRelease, err)
		h.board.log.Warn("the lease could not be given up: others wait for its end", zap.Error(err))
	}
}

// work streams until it is told to stop or something breaks.
func (h *hold) work() error {
	if !h.quiet.Load() {
		h.ledger.fail("")
	}
	h.troubles.begin()
	h.guards.Go(h.heedAlarms)
	for h.front.Err() == nil {
		err := h.stream()
		if !errors.Is(err, errReload) {
			return err
		}
		if !h.flush() {
			return nil
		}
	}
	return nil
}

// heedAlarms shows when the broker asks to be left alone, and when no more.
func (h *hold) heedAlarms() {
	look := time.NewTicker(blockedPause)
	defer look.Stop()
	for {
		reason, blocked := h.publisher.Blocked()
		h.troubles.alarm(blocked, reason)
		select {
		case <-h.ctx.Done():
			return
		case <-look.C:
		}
	}
}

// watch tells when a confirm does not come, and ends everything when that lasts. A broker
// that has said that it is blocked is waited for: confirms cannot come before the alarm
// clears.
func (h *hold) watch() {
	look := time.NewTicker(min(h.limits.quiet, h.limits.confirm) / 8)
	defer look.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-look.C:
		}
		since := h.waiting.Load()
		if since == 0 {
			continue
		}
		if _, blocked := h.publisher.Blocked(); blocked {
			continue
		}
		waited := time.Since(time.Unix(0, since))
		if waited >= h.limits.quiet {
			h.hush()
		}
		if waited >= h.limits.confirm {
			h.cancel(brokerFault(errNoConfirm))
			return
		}
	}
}

// hush shows that the broker confirms nothing.
func (h *hold) hush() {
	if h.quiet.Swap(true) {
		return
	}
	reason := errNoConfirm.Error()
	h.troubles.quiet(reason)
	h.ledger.fail(reason)
}

// heard ends what hush has begun: the broker has answered.
func (h *hold) heard() {
	if h.quiet.Load() && h.quiet.Swap(false) {
		h.troubles.quiet("")
		h.ledger.fail("")
	}
}

// limitGrace cuts the confirms in flight off when the grace period is over.
func (h *hold) limitGrace() {
	<-h.front.Done()
	if sleep(h.ctx, h.limits.grace) {
		h.cancel(errGrace)
	}
}
