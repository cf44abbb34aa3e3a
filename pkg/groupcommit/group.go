package groupcommit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// most is how many items share a transaction: enough for what they share to count
	// little, few enough to be divided when one fails.
	most = 64
	// patience bounds one transaction; it belongs to nobody's context.
	patience = 30 * time.Second
)

// Group carries out items together. It is safe for concurrent use.
type Group[T any] struct {
	carryOut func(context.Context, []T) error

	mu      sync.Mutex
	waiting []*call[T]
	// led: a transaction is under way. One at a time: what two could do at once, one
	// does with fewer statements.
	led bool
}

// call is one caller's item and what became of it.
type call[T any] struct {
	item T
	// chosen: this caller is to carry out the next transaction, and lead is closed.
	chosen bool
	lead   chan struct{}
	// done is closed when err is known.
	done chan struct{}
	err  error
}

// ErrNothingDone wraps an error that came before anything was sent to the database.
var ErrNothingDone = errors.New("nothing was done")

// PanicError is a panic of what carries items out.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("carrying items out panicked: %v", e.Value) }

// New makes a group. carryOut does all the items in one transaction or none of them. An
// error that is [ErrNothingDone], or a [*pgconn.PgError] of severity ERROR, means none;
// it is then called again with some of them. It is called from several goroutines,
// one after the other.
func New[T any](carryOut func(context.Context, []T) error) *Group[T] {
	return &Group[T]{carryOut: carryOut}
}

// Do carries the item out, together with those of other callers.
//
// Nothing of it was done where the error is [ErrNothingDone], which the end of ctx is too
// while the item waits for its turn, or a [*pgconn.PgError] of severity ERROR. After any
// other error, FATAL among them, which poolers send for what the server may yet commit,
// and where ctx ends later, the outcome is unknown. Who carries out a group looks at his
// ctx when that is done.
func (g *Group[T]) Do(ctx context.Context, item T) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrNothingDone, context.Cause(ctx))
	}
	c := &call[T]{item: item, lead: make(chan struct{}), done: make(chan struct{})}
	if g.join(c) {
		g.lead(ctx)
	}
	lead := c.lead
	for {
		select {
		case <-c.done:
			g.leave(c, lead != nil)
			return c.err
		case <-lead:
			lead = nil
			g.lead(ctx)
		case <-ctx.Done():
			waited := g.leave(c, lead != nil)
			select {
			case <-c.done:
				return c.err
			default:
			}
			if waited {
				return fmt.Errorf("%w: %w", ErrNothingDone, context.Cause(ctx))
			}
			return fmt.Errorf("the outcome is unknown: %w", context.Cause(ctx))
		}
	}
}

// join reports whether the caller is to carry out a transaction at once.
func (g *Group[T]) join(c *call[T]) (leads bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, c)
	leads = !g.led
	g.led = true
	return leads
}

// leave takes the caller out of those who wait, if he still does. If he was chosen and
// has not led, somebody else has to.
func (g *Group[T]) leave(c *call[T], hasNotLed bool) (waited bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, c)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	if c.chosen && hasNotLed {
		g.passOn()
	}
	return i >= 0
}

// lead carries out one transaction, of those who wait, and passes the lead on.
func (g *Group[T]) lead(ctx context.Context) {
	g.mu.Lock()
	n := min(len(g.waiting), most)
	calls := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	g.mu.Unlock()

	g.settle(context.WithoutCancel(ctx), calls)

	g.mu.Lock()
	defer g.mu.Unlock()
	g.passOn()
}

// passOn has the first who waits lead next. The lock is held.
func (g *Group[T]) passOn() {
	for _, c := range g.waiting {
		if !c.chosen {
			c.chosen = true
			close(c.lead)
			return
		}
	}
	g.led = false
}

// settle does all or, where the database refuses something, each half by itself.
func (g *Group[T]) settle(ctx context.Context, calls []*call[T]) {
	if len(calls) == 0 {
		return
	}
	items := make([]T, len(calls))
	for i, c := range calls {
		items[i] = c.item
	}
	err := g.try(ctx, items)
	if len(calls) > 1 && refused(err) {
		g.settle(ctx, calls[:len(calls)/2])
		g.settle(ctx, calls[len(calls)/2:])
		return
	}
	for _, c := range calls {
		c.err = err
		close(c.done)
	}
}

// refused says that certainly nothing was done, so that it can be done in parts.
func refused(err error) bool {
	var said *pgconn.PgError
	return errors.Is(err, ErrNothingDone) ||
		errors.As(err, &said) && cmp.Or(said.SeverityUnlocalized, said.Severity) == "ERROR"
}

// try turns a panic into an error: who shares the transaction is not to wait for ever.
func (g *Group[T]) try(ctx context.Context, items []T) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return g.carryOut(ctx, items)
}
