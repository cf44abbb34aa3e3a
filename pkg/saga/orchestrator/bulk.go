package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// bulkBatch is how many sagas an operator's event is applied to in one transaction.
// Replies to them wait for it.
const bulkBatch = 100

// Tally counts what became of an event that many sagas were told.
type Tally struct {
	Done int `json:"done"`
	// Refused counts those that did not take it, by the reason.
	Refused map[string]int `json:"refused"`
}

// Told is how many sagas have been told.
func (t Tally) Told() int {
	told := t.Done
	for _, n := range t.Refused {
		told += n
	}
	return told
}

func (t Tally) add(transitions []saga.Transition) int {
	done := 0
	for _, transition := range transitions {
		if TookEffect(transition.Entry) {
			done++
		} else {
			t.Refused[transition.Entry.Detail]++
		}
	}
	return done
}

// Reasons of a saga that could not be told, beside its own.
const (
	refusedGone       = "the saga is gone"
	refusedUnreadable = "the saga cannot be read, or its plan cannot be used: see saga show"
)

// ActAll tells the sagas the event as [Engine.Act] does, in transactions of at most 100,
// and calls progress after each. With an error too, the tally is of what was done.
func (e *Engine) ActAll(ctx context.Context, ids []saga.ID, event saga.Event, progress func(Tally)) (Tally, error) {
	tally := Tally{Refused: map[string]int{}}
	if err := checkEvent(event); err != nil {
		return tally, err
	}
	for batch := range slices.Chunk(ids, bulkBatch) {
		if err := e.actBatch(ctx, slices.Clone(batch), event, &tally); err != nil {
			return tally, fmt.Errorf("act on %d sagas, %d of them told: %w", len(ids), tally.Told(), err)
		}
		progress(tally)
	}
	return tally, nil
}

// actBatch leaves a saga out that cannot be read, and tells the others.
func (e *Engine) actBatch(ctx context.Context, ids []saga.ID, event saga.Event, tally *Tally) error {
	for len(ids) > 0 {
		transitions, err := e.actOn(ctx, ids, event)
		var alone *sagapg.SagaError
		switch {
		case errors.As(err, &alone) && slices.Contains(ids, alone.ID):
			ids = slices.DeleteFunc(ids, func(id saga.ID) bool { return id == alone.ID })
			tally.Refused[refusedUnreadable]++
			continue
		case err != nil:
			return err
		}
		tally.Done += tally.add(transitions)
		if gone := len(ids) - len(transitions); gone > 0 {
			tally.Refused[refusedGone] += gone
		}
		return nil
	}
	return nil
}
