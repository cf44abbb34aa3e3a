package participant

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
)

// work runs the handler of a set. What it returns has a result for each command.
func (p *Participant) work(ctx context.Context, tx pgx.Tx, set []*task) ([]Result, error) {
	theirs := &lent{Tx: tx}
	results, err := p.call(ctx, theirs, set)
	switch {
	case err != nil:
		return nil, err
	case theirs.ended:
		return nil, errNotYours
	case tx.Conn().PgConn().TxStatus() != 'T':
		return nil, errors.New("the handler hid an error of the database, its transaction has failed")
	case results == nil:
		results = make([]Result, len(set))
	case len(results) != len(set):
		return nil, fmt.Errorf("the handler returned %d results for %d commands", len(results), len(set))
	}
	return results, nil
}

var errPanic = errors.New("the handler panicked")

// call runs the handler; a panic becomes an error.
func (p *Participant) call(ctx context.Context, tx pgx.Tx, set []*task) (results []Result, err error) {
	first := set[0].cmd
	defer func() {
		if v := recover(); v != nil {
			p.log.Error("a handler panicked", zap.String("key", first.Key()), zap.Int("commands", len(set)),
				zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
			err = fmt.Errorf("%w: %v", errPanic, v)
		}
	}()
	cmds := make([]Command, len(set))
	for i, t := range set {
		cmds[i] = t.cmd
	}
	do, _ := p.handler(first.Step, first.Operation)
	return do(ctx, tx, cmds)
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
