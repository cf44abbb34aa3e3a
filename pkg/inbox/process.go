package inbox

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
)

// failure is an attempt that did not commit, with what to do about it.
type failure struct {
	class Class
	err   error
}

func (f *failure) Error() string { return fmt.Sprintf("%s error: %s", f.class, f.err) }
func (f *failure) Unwrap() error { return f.err }

// process commits every delivery's work or its quarantine row. An error means
// that not all of them are done and that no message is to blame.
func (c *consumer) process(ctx context.Context, ds []Delivery) error {
	err := c.repeat(ctx, ds, c.Handle)
	var f *failure
	if err == nil || !errors.As(err, &f) || f.class == Transient {
		return err
	}
	if len(ds) > 1 {
		half := len(ds) / 2
		if err := c.process(ctx, ds[:half]); err != nil {
			return err
		}
		return c.process(ctx, ds[half:])
	}
	// It stands alone, so the fault is its own.
	return c.repeat(ctx, ds, func(context.Context, pgx.Tx, []Delivery) ([]Rejection, error) {
		return []Rejection{{Index: 0, Reason: f.err.Error()}}, nil
	})
}

// repeat attempts the deliveries until they commit, fail for good, or patience
// or context ends.
func (c *consumer) repeat(ctx context.Context, ds []Delivery, handle Handler) error {
	pauses, end := c.pauses(), time.Now().Add(c.patience)
	for try := 1; ; try++ {
		f := c.attempt(ctx, ds, handle)
		if f == nil {
			return nil
		}
		again := f.class == Transient || (f.class == Unknown && len(ds) == 1 && try < c.tries)
		if !again || ctx.Err() != nil || time.Now().After(end) {
			return f
		}
		pause := pauses.NextBackOff()
		c.Log.Warn("a transaction failed, repeating it",
			zap.Error(f), zap.Int("deliveries", len(ds)), zap.Duration("pause", pause))
		wait(ctx, pause)
	}
}

// attempt is one transaction: work, quarantine, commit.
func (c *consumer) attempt(ctx context.Context, ds []Delivery, handle Handler) *failure {
	ctx, cancel := context.WithTimeout(ctx, c.timing.attempt)
	defer cancel()
	conn, err := c.DB.Acquire(ctx)
	if err != nil {
		return &failure{Transient, fmt.Errorf("get a connection: %w", err)}
	}
	defer conn.Release()
	fail := func(err error) *failure {
		if conn.Conn().IsClosed() || ctx.Err() != nil {
			// Lost, and if it was lost during the commit the outcome is unknown.
			return &failure{Transient, err}
		}
		return &failure{Classify(err), err}
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fail(fmt.Errorf("begin: %w", err))
	}
	defer rollback(ctx, tx)
	rejections, err := c.guard(ctx, tx, ds, handle)
	if errors.Is(err, errPanic) {
		return &failure{Permanent, err}
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
