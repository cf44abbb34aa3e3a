package orchestrator

import (
	"context"
	"errors"
	"fmt"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// Start starts a saga of the latest version of a definition, in a transaction of its own. It is
// [sagapg.Store.Start] else: started is false where the business key was used before, and id is then
// the first saga's. The error is [sagapg.ErrNoDefinition] or [ErrEvent]; after another one nothing was done,
// unless it says that this is unknown. With a business key the call may be repeated.
func (e *Engine) Start(ctx context.Context, name string, r sagapg.StartRequest) (id saga.ID, started bool, err error) {
	fail := func(err error) (saga.ID, bool, error) {
		return saga.ID{}, false, fmt.Errorf("start a saga %s: %w", name, err)
	}
	if err := checkStart(r); err != nil {
		return fail(fmt.Errorf("%w: %w", ErrEvent, err))
	}
	ctx, cancel := context.WithTimeout(ctx, e.timing.batch)
	defer cancel()
	tx, err := sagapg.Begin(ctx, e.DB)
	if err != nil {
		return fail(fmt.Errorf("begin (nothing was done): %w", err))
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after the commit
	def, err := e.Store.LatestDefinition(ctx, tx, name)
	if err != nil {
		return fail(err)
	}
	if id, started, err = e.Store.Start(ctx, tx, def, r); err != nil {
		return fail(fmt.Errorf("nothing was done: %w", err))
	}
	if err := tx.Commit(ctx); err != nil {
		return fail(fmt.Errorf("commit (whether it was done is unknown; with the same business key it may be repeated): %w", err))
	}
	return id, started, nil
}

// checkStart refuses what the tables would refuse.
func checkStart(r sagapg.StartRequest) error {
	switch key := r.BusinessKey; {
	case len(key) > protocol.MaxText:
		return fmt.Errorf("the business key has %d bytes, at most %d are allowed", len(key), protocol.MaxText)
	case !jsonmap.Storable(key):
		return errors.New("the business key is not UTF-8 text, or has the character U+0000")
	}
	if err := saga.CheckWebhooks(r.Webhooks); err != nil {
		return err
	}
	if err := protocol.Fits(r.Payload, nil); err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	return nil
}
