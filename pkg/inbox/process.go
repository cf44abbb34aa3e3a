package inbox

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	sagasql "go.example/saga/sql"
)

// failure is an attempt that did not commit, with what to do about it.
type failure struct {
	class Class
	err   error
	// inside: the time ran out or the connection was lost after the transaction
	// had begun.
	inside bool
}

// splits says whether smaller batches may help: when a message is to blame, and
// also when it happened inside of the transaction. One message can cause that, or
// all of them by their number, and then the same batch would fail for ever.
func (f *failure) splits() bool { return f.class != Transient || f.inside }

func (f *failure) Error() string { return fmt.Sprintf("%s error: %s", f.class, f.err) }
func (f *failure) Unwrap() error { return f.err }

// process commits every delivery's work or its quarantine row. An error means
// that not all of them are done and that no message is to blame.
func (c *consumer) process(ctx context.Context, ds []Delivery) error {
	err := c.repeat(ctx, ds, c.Handle)
	var f *failure
	if err == nil || !errors.As(err, &f) || ctx.Err() != nil || !f.splits() {
		return err
	}
	if len(ds) > 1 {
		return c.split(ctx, ds)
	}
	if f.class == Transient {
		return err
	}
	// It stands alone, so the fault is its own.
	return c.repeat(ctx, ds, func(context.Context, pgx.Tx, []Delivery) ([]Rejection, error) {
		return []Rejection{{Index: 0, Code: Failing, Reason: withoutValues(f.err)}}, nil
	})
}

// split processes the halves, the second one also when a message in the first has
// cost the connection: its neighbours are not to wait for it.
func (c *consumer) split(ctx context.Context, ds []Delivery) error {
	half := len(ds) / 2
	first := c.process(ctx, ds[:half])
	var f *failure
	if errors.As(first, &f) && !f.splits() {
		return first
	}
	return errors.Join(first, c.process(ctx, ds[half:]))
}

// repeat attempts the deliveries until they commit, fail for good, or patience
// or context ends.
func (c *consumer) repeat(ctx context.Context, ds []Delivery, handle Handler) error {
	pauses, end := c.pauses(), time.Now().Add(c.patience)
	for try := 1; ; try++ {
		f := c.attempt(ctx, ds, handle)
		if f == nil {
			c.trouble.ofWork(nil)
			return nil
		}
		if f.class == Transient {
			f.err = sagasql.ExplainRights(ctx, c.DB, c.Schema, f.err, c.Rights...)
			c.trouble.ofWork(f.err)
		}
		if !c.again(f, len(ds), try) || ctx.Err() != nil || time.Now().After(end) {
			return f
		}
		pause := pauses.NextBackOff()
		c.Log.Warn("a transaction failed, repeating it",
			zap.Error(f), zap.Int("deliveries", len(ds)), zap.Duration("pause", pause))
		wait(ctx, pause)
	}
}

// again says whether to repeat a batch of n after the failure.
func (c *consumer) again(f *failure, n, try int) bool {
	switch {
	case f.class == Permanent:
		return false
	case f.class == Unknown:
		return n == 1 && try < c.tries
	case f.inside && n > 1:
		return try < c.tries // then it is split
	default:
		return true
	}
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
		return &failure{class: Transient, err: fmt.Errorf("get a connection: %w", err)}
	}
	defer conn.Release()
	begun := false
	fail := func(err error) *failure {
		if conn.Conn().IsClosed() || ctx.Err() != nil {
			// Lost, and if it was lost during the commit the outcome is unknown.
			return &failure{class: Transient, err: err, inside: begun}
		}
		return &failure{class: Classify(err), err: err}
	}
	tx, err := conn.BeginTx(ctx, inTransaction)
	if err != nil {
		return fail(fmt.Errorf("begin: %w", err))
	}
	begun = true
	defer rollback(ctx, tx)
	rejections, err := c.guard(ctx, tx, ds, handle)
	if errors.Is(err, errPanic) {
		return &failure{class: Permanent, err: err}
	}
	if err != nil {
		return fail(err)
	}
	if err := c.quarantine(ctx, tx, ds, rejections); err != nil {
		return fail(err)
	}
	if err := tx.Commit(ctx); err != nil {
		return fail(fmt.Errorf("commit: %w", err))
	}
	c.report(ds, rejections)
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
