package participant

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// work runs the handler and words the answer to its success.
func (p *Participant) work(ctx context.Context, tx pgx.Tx, t *task) error {
	theirs := &lent{Tx: tx}
	output, err := p.call(ctx, theirs, t.cmd)
	switch {
	case err != nil:
		return err
	case theirs.ended:
		return errNotYours
	case tx.Conn().PgConn().TxStatus() != 'T':
		return errors.New("the handler hid an error of the database, its transaction has failed")
	}
	if err := t.answer(protocol.Reply{Outcome: success(t.cmd.Operation), Output: output}); err != nil {
		return err
	}
	size, err := jsonmap.Size(t.reply.Payload)
	if err != nil {
		return fmt.Errorf("the handler's output cannot be stored: %w", err)
	}
	if size > protocol.MaxContent {
		return fmt.Errorf("the handler's output has %d bytes, at most %d are allowed", size, protocol.MaxContent)
	}
	return nil
}

func success(op saga.Operation) saga.Outcome {
	switch op {
	case saga.Confirm:
		return saga.OutcomeConfirmed
	case saga.Cancel:
		return saga.OutcomeCompensated
	case saga.Request:
	}
	return saga.OutcomeSucceeded
}

var errPanic = errors.New("the handler panicked")

// call runs the handler; a panic becomes an error.
func (p *Participant) call(ctx context.Context, tx pgx.Tx, cmd Command) (output jsonmap.JSONMap, err error) {
	defer func() {
		if v := recover(); v != nil {
			p.log.Error("a handler panicked", zap.String("key", cmd.Key()), zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
			err = fmt.Errorf("%w: %v", errPanic, v)
		}
	}()
	step := p.cfg.Steps[cmd.Step]
	switch cmd.Operation {
	case saga.Confirm:
		return nil, step.Confirm(ctx, tx, cmd)
	case saga.Cancel:
		return nil, step.Cancel(ctx, tx, cmd)
	case saga.Request:
	}
	return step.Request(ctx, tx, cmd)
}

var errNotYours = errors.New("the handler tried to end the transaction, which belongs to the whole batch")

// lent is the batch's transaction in a handler's hands, which may not end it.
type lent struct {
	pgx.Tx
	ended bool
}

func (l *lent) Commit(context.Context) error {
	l.ended = true
	return errNotYours
}

func (l *lent) Rollback(context.Context) error {
	l.ended = true
	return errNotYours
}
