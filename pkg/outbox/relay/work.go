package relay

import (
	"context"
	"errors"
	"time"

	"go.example/saga/pkg/outbox"
)

// work streams until it is told to stop or the session breaks. Before a row that
// the broker refuses it waits and tries that row alone, again and again.
func (h *hold) work() error {
	pause := newBackOff()
	for h.front.Err() == nil {
		err := h.careful()
		if err == nil {
			pause.Reset()
			h.board.set(Active, "")
			err = h.stream()
		}
		if err != nil && !refused(err) {
			return err
		}
		if err != nil {
			h.suspects = 1
			h.ledger.fail(err)
			h.board.set(Stalled, err.Error())
			sleep(h.front, pause.NextBackOff())
		}
	}
	return nil
}

// careful publishes the suspects one by one, so that a row that breaks the
// session does so alone and is known by that.
func (h *hold) careful() error {
	for h.suspects > 0 && h.front.Err() == nil {
		page, err := h.tenure.Read(h.front, h.ledger.position(), min(h.suspects, h.cfg.Page))
		if err != nil {
			return databaseFault(err)
		}
		if len(page.Records) == 0 {
			h.ledger.forward(page.End())
			h.suspects = 0
		}
		for i, r := range page.Records {
			if !h.unblocked(h.front) {
				return nil
			}
			if err := h.publishAlone(r); err != nil {
				return rowFault(r, err)
			}
			h.suspects--
			h.board.published(r.Position)
			h.ledger.confirm(h.ctx, page.After(i), r.Position)
		}
	}
	return nil
}

func (h *hold) publishAlone(r *outbox.Record) error {
	wait, err := h.publisher.Publish(h.front, r)
	if err != nil {
		return err
	}
	return h.await(h.ctx, wait)
}

// await waits for one confirm under the eyes of watch.
func (h *hold) await(ctx context.Context, wait func(context.Context) error) error {
	h.waiting.Store(time.Now().UnixNano())
	defer h.waiting.Store(0)
	return wait(ctx)
}

// unblocked waits until the broker takes messages; false means that ctx ended
// before that.
func (h *hold) unblocked(ctx context.Context) bool {
	for {
		reason, blocked := h.publisher.Blocked()
		if !blocked {
			break
		}
		h.board.set(Blocked, "the broker has blocked the connection: "+reason)
		if !sleep(ctx, blockedPause) {
			return false
		}
		if _, still := h.publisher.Blocked(); !still {
			h.board.set(Active, "")
		}
	}
	return ctx.Err() == nil
}

// judge makes the fault of a row whose confirm failed among others in flight: a
// verdict is about the row, anything else about the session.
func judge(r *outbox.Record, err error) error {
	var known *fault
	switch {
	case refused(err):
		return rowFault(r, err)
	case errors.As(err, &known):
		return err
	default:
		return brokerFault(err)
	}
}
