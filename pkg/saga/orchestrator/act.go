package orchestrator

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// Act applies an operator's [saga.Action], or a [saga.Signalled], to one saga in one
// transaction. That the saga refuses it is no error: it is recorded, and [TookEffect] of
// the transition's entry says so. The error is [sagapg.ErrNoSaga] or [ErrEvent]; after
// another one nothing was done, unless it says that this is unknown.
func (e *Engine) Act(ctx context.Context, id saga.ID, event saga.Event) (saga.Transition, error) {
	if err := checkEvent(event); err != nil {
		return saga.Transition{}, err
	}
	transitions, err := e.actOn(ctx, []saga.ID{id}, event)
	switch {
	case err != nil:
		return saga.Transition{}, fmt.Errorf("act on saga %s: %w", uuid.UUID(id), err)
	case len(transitions) == 0:
		return saga.Transition{}, fmt.Errorf("saga %s: %w", uuid.UUID(id), sagapg.ErrNoSaga)
	}
	return transitions[0], nil
}

// TookEffect says that the event was not only recorded.
func TookEffect(e saga.HistoryEntry) bool {
	return e.Disposition == saga.Advanced || e.Disposition == saga.Parked
}

// actOn applies the event to the sagas that exist, in one transaction.
func (e *Engine) actOn(ctx context.Context, ids []saga.ID, event saga.Event) ([]saga.Transition, error) {
	ctx, cancel := context.WithTimeout(ctx, e.timing.batch)
	defer cancel()
	tx, err := sagapg.Begin(ctx, e.DB)
	if err != nil {
		return nil, fmt.Errorf("begin (nothing was done): %w", err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after the commit
	transitions, err := e.step(ctx, tx, ids, event)
	if err != nil {
		return nil, err
	}
	if err := tx.Commit(ctx); err != nil {
		return nil, fmt.Errorf("commit (whether it was done is unknown, look at the history): %w", err)
	}
	for _, t := range transitions {
		e.tell(t)
	}
	return transitions, nil
}

func (e *Engine) step(ctx context.Context, tx pgx.Tx, ids []saga.ID, event saga.Event) ([]saga.Transition, error) {
	loaded, now, err := e.Store.Load(ctx, tx, ids)
	if err != nil {
		return nil, fmt.Errorf("nothing was done: %w", err)
	}
	b := newBatch(loaded, now)
	transitions := make([]saga.Transition, len(b.order))
	for i, id := range b.order {
		transitions[i], _ = b.apply(id, event)
	}
	if err := e.Store.Save(ctx, tx, b.changes()); err != nil {
		return nil, fmt.Errorf("nothing was done: %w", err)
	}
	return transitions, nil
}
