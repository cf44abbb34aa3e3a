package relay

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.example/saga/pkg/outbox/outboxpg"
)

// hold is a tenure at work. Its context outlives the engine's by the grace
// period, and ends earlier when the lease is lost or the broker falls silent.
type hold struct {
	*Engine
	tenure    *outboxpg.Tenure
	publisher Publisher
	ledger    *ledger

	ctx    context.Context // done: nothing more can be confirmed or saved
	cancel context.CancelCauseFunc
	front  context.Context // done earlier, with the engine's: publish nothing new
	unhook func() bool     // cuts front loose from the engine's context
	guards sync.WaitGroup
	// waiting is since when the oldest confirm is awaited, in Unix nanoseconds; 0
	// when none is.
	waiting atomic.Int64
}

// newHold begins the work of a tenure that was asked for at asked.
func newHold(ctx context.Context, e *Engine, tenure *outboxpg.Tenure, asked time.Time) *hold {
	h := &hold{Engine: e, tenure: tenure, ledger: newLedger(tenure.Position(), e.cfg.Window)}
	h.ctx, h.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	front, retire := context.WithCancel(h.ctx)
	h.front, h.unhook = front, context.AfterFunc(ctx, retire)
	h.guards.Go(func() { h.keep(asked) })
	h.guards.Go(h.watch)
	h.guards.Go(h.limitGrace)
	return h
}

// end stops the guards, saves for the last time and releases the lease. Where
// that fails, the lease runs out by itself.
func (h *hold) end() {
	h.unhook()
	h.cancel(nil)
	h.guards.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), h.limits.call)
	defer cancel()
	_, progress := h.ledger.due()
	_ = h.tenure.Release(ctx, progress)
}

// keep saves the progress when there is some, and renews the lease in any case.
// A failed save is tried again until the lease is about to end.
func (h *hold) keep(asked time.Time) {
	lease := h.cfg.Lease
	// Counted from before the question, so it ends no later than the database's
	// own count.
	guard := time.AfterFunc(lease-time.Since(asked), func() { h.cancel(errLeaseOver) })
	defer guard.Stop()
	renew := time.NewTicker(lease / 3)
	defer renew.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-renew.C:
		case <-h.ledger.changed:
			if !h.gather() {
				return
			}
		}
		asked = time.Now()
		switch err := h.save(); {
		case errors.Is(err, outboxpg.ErrLost):
			h.cancel(err)
			return
		case err == nil:
			guard.Reset(lease - time.Since(asked))
		default:
			wake(h.ledger.changed)
		}
	}
}

// gather waits until there is enough to write down, or long enough: a write at once would
// be a transaction for each message, just when whoever has got it wants the processor.
// False means that there is nobody to write for.
func (h *hold) gather() bool {
	over := time.NewTimer(h.limits.save)
	defer over.Stop()
	select {
	case <-over.C:
	case <-h.ledger.hurry:
	case <-h.ctx.Done():
		return false
	}
	return true
}

func (h *hold) save() error {
	ctx, cancel := context.WithTimeout(h.ctx, h.cfg.Lease/3)
	defer cancel()
	w, progress := h.ledger.due()
	saved, err := h.tenure.Save(ctx, progress)
	if err != nil {
		return err
	}
	h.ledger.settle(w, saved)
	return nil
}

// flush waits until the database knows everything; false means that it will not.
func (h *hold) flush() bool {
	for !h.ledger.empty() {
		wake(h.ledger.changed)
		wake(h.ledger.hurry)
		select {
		case <-h.ledger.saved:
		case <-h.ctx.Done():
			return false
		}
	}
	h.ledger.collect() // the results are the former desk's
	return true
}

// work streams until it is told to stop or something breaks.
func (h *hold) work() error {
	h.ledger.fail("")
	h.board.set(Active, "") // before an alarm is seen, or it would be hidden
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
	for was := false; ; {
		reason, blocked := h.publisher.Blocked()
		switch {
		case blocked && !was:
			h.board.set(Blocked, "the broker has blocked the connection: "+reason)
		case was && !blocked:
			h.board.set(Active, "")
		}
		was = blocked
		select {
		case <-h.ctx.Done():
			return
		case <-look.C:
		}
	}
}

// watch ends everything when a confirm does not come. A broker that has said that
// it is blocked is waited for: confirms cannot come before the alarm clears.
func (h *hold) watch() {
	look := time.NewTicker(h.limits.confirm / 8)
	defer look.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-look.C:
		}
		since := h.waiting.Load()
		if since == 0 || time.Since(time.Unix(0, since)) < h.limits.confirm {
			continue
		}
		if _, blocked := h.publisher.Blocked(); !blocked {
			h.cancel(brokerFault(errNoConfirm))
			return
		}
	}
}

// limitGrace cuts the confirms in flight off when the grace period is over.
func (h *hold) limitGrace() {
	<-h.front.Done()
	if sleep(h.ctx, h.limits.grace) {
		h.cancel(errGrace)
	}
}
