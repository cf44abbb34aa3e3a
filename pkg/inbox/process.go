package inbox

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox/blame"
)

// failure is an attempt that did not commit.
type failure struct {
	err error
	// reached: a transaction had begun, so that the messages may be the cause.
	reached bool
}

// process does the work of the deliveries at the places, in batches and parts of them, and
// names those that have to be held. An error means that not all others are done. It may be
// called from several goroutines.
func (c *consumer) process(ctx context.Context, ds []Delivery, places []int) (held []int, err error) {
	places, held, err = c.judge.separate(ds, places)
	if err != nil {
		return nil, err
	}
	more, err := c.divide(ctx, ds, places)
	return append(held, more...), err
}

// divide tries the deliveries together, and where that fails in halves, until those that
// fail stand alone.
func (c *consumer) divide(ctx context.Context, ds []Delivery, places []int) (held []int, err error) {
	for len(places) > 0 {
		f := c.attempt(ctx, pick(ds, places), c.Handle)
		if f == nil {
			return held, nil
		}
		if ctx.Err() != nil {
			return nil, f.err
		}
		v, err := c.judged(ctx, pick(ds, places), f)
		switch {
		case err != nil:
			return nil, err
		case v.Do == blame.Again:
			wait(ctx, time.Until(v.At))
		case v.Do == blame.Split:
			half := len(places) / 2
			first, err := c.divide(ctx, ds, places[:half])
			if err != nil {
				return nil, err
			}
			held, places = append(held, first...), places[half:]
		default:
			return append(held, places...), nil
		}
	}
	return held, nil
}

func pick(ds []Delivery, places []int) []Delivery {
	picked := make([]Delivery, len(places))
	for i, place := range places {
		picked[i] = ds[place]
	}
	return picked
}

// inTransaction does not depend on the role's defaults: under serializable two consumers
// would undo each other's batches.
var inTransaction = pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}

// attempt is one transaction: work, quarantine, commit.
func (c *consumer) attempt(ctx context.Context, ds []Delivery, handle Handler) *failure {
	ctx, cancel := context.WithTimeout(ctx, c.timing.attempt)
	defer cancel()
	conn, err := c.DB.Acquire(ctx)
	if err != nil {
		return &failure{err: fmt.Errorf("get a connection: %w", err)}
	}
	defer conn.Release()
	tx, err := conn.BeginTx(ctx, inTransaction)
	if err != nil {
		return &failure{err: fmt.Errorf("begin: %w", err)}
	}
	defer rollback(ctx, tx)
	rejections, err := c.guard(ctx, tx, ds, handle)
	if err == nil {
		err = c.quarantine(ctx, tx, ds, rejections)
	}
	if err != nil {
		return &failure{err: err, reached: true}
	}
	if err := tx.Commit(ctx); err != nil {
		return &failure{err: fmt.Errorf("commit: %w", err), reached: true}
	}
	c.report(ds, rejections)
	if done := c.later.done(ds); len(rejections) < len(done) {
		c.worked(done)
	} else {
		c.judge.tell(func(b *blame.State) { b.Forget(keysOf(done)...) })
	}
	c.trouble.ofWork(c.judge.suspended())
	return nil
}

// rollback ends a transaction that did not commit; after a commit it does
// nothing. When it fails the pool discards the connection, which ends it too.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTime)
	defer cancel()
	_ = tx.Rollback(ctx)
}

const rollbackTime = 5 * time.Second

var errPanic = errors.New("the handler panicked")

// guard turns a panic of the handler into an error.
func (c *consumer) guard(ctx context.Context, tx pgx.Tx, ds []Delivery, handle Handler) (rejections []Rejection, err error) {
	defer func() {
		if v := recover(); v != nil {
			c.Log.Error("the handler panicked", zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
			err = fmt.Errorf("%w: %v", errPanic, v)
		}
	}()
	return handle(ctx, tx, ds)
}
