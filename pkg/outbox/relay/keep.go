package relay

import (
	"context"
	"errors"
	"time"

	"go.example/saga/pkg/outbox/outboxpg"
)

// keep saves the progress when there is some, and renews the lease in any case.
// A failed save is tried again until the lease is about to end, unless that is no use.
func (h *hold) keep(asked time.Time) {
	lease := h.cfg.Lease
	// Counted from before the question, so it ends no later than the database's
	// own count.
	guard := time.AfterFunc(lease-time.Since(asked), func() { h.cancel(h.troubles.leaseOver()) })
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
		case errors.Is(err, outboxpg.ErrLost), errors.Is(err, outboxpg.ErrMoved):
			h.cancel(err)
			return
		case err == nil:
			guard.Reset(lease - time.Since(asked))
		case h.ctx.Err() != nil:
			return
		default:
			// A right does not come back by itself, and a tenure that resumes has nothing to lose.
			if outboxpg.LacksRights(err) || outboxpg.Refused(err) && h.resuming.Load() {
				h.cancel(databaseFault(err))
				return
			}
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
	switch {
	case err == nil:
		h.troubles.saved(hasParked(w))
		h.ledger.settle(w, saved)
	case h.ctx.Err() == nil && !errors.Is(err, outboxpg.ErrLost) && !errors.Is(err, outboxpg.ErrMoved):
		h.cfg.Faults.Count(TaskPublish, err)
		h.troubles.unsaved(databaseFault(err), hasParked(w))
	}
	return err
}

func hasParked(w written) bool { return len(w.Parked)+len(w.Unparked) > 0 }

// resume waits until the database takes writes again, and what is left of the former tenure;
// false means that it does not.
func (h *hold) resume() bool {
	wake(h.ledger.changed)
	wake(h.ledger.hurry)
	select {
	case <-h.ledger.saved:
	case <-h.ctx.Done():
		return false
	}
	if !h.flush() {
		return false
	}
	h.unsaved = nil
	h.resuming.Store(false)
	return true
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
