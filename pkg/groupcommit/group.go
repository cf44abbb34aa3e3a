package groupcommit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// most is how many callers share a transaction: enough for a flush to count little,
	// few enough to be divided when one fails.
	most = 64
	// lanes is how many transactions are under way at once: one is carried out while
	// another one is flushed.
	lanes = 2
	// patience bounds one transaction; it belongs to nobody's context.
	patience = 30 * time.Second
)

// DB sends batches: a pool of pgx. Outside of a transaction a batch is one by itself.
type DB interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Group carries out transactions of one database together. It is safe for concurrent use.
type Group struct {
	db DB

	mu      sync.Mutex
	waiting []*call
	running int // transactions under way
}

// call is one caller's statements and what became of them.
type call struct {
	batch *pgx.Batch
	// chosen: this caller is to carry out the next transaction, and lead is closed.
	chosen bool
	lead   chan struct{}
	// done is closed when err is known.
	done chan struct{}
	err  error
}

// New makes a group for a database.
func New(db DB) *Group { return &Group{db: db} }

// Do carries out the statements of the batch in one transaction, which other callers'
// may share; the batch neither begins nor ends one. Functions that the batch has for its results may be called more than once,
// and count only when Do returns nil.
//
// A [*pgconn.PgError] means that nothing of this batch was done, as does the end of ctx
// while it waits for its turn. After any other error, and where ctx ends later, the
// outcome is unknown.
func (g *Group) Do(ctx context.Context, batch *pgx.Batch) error {
	c := &call{batch: batch, lead: make(chan struct{}), done: make(chan struct{})}
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
			if g.leave(c, lead != nil) {
				return fmt.Errorf("nothing was done: %w", context.Cause(ctx))
			}
			return fmt.Errorf("the outcome is unknown: %w", context.Cause(ctx))
		}
	}
}

// join reports whether the caller is to carry out a transaction at once.
func (g *Group) join(c *call) (leads bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, c)
	if g.running == lanes {
		return false
	}
	g.running++
	return true
}

// leave takes the caller out of those who wait, if he still does. If he was chosen and
// has not led, somebody else has to.
func (g *Group) leave(c *call, hasNotLed bool) (waited bool) {
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
func (g *Group) lead(ctx context.Context) {
	g.mu.Lock()
	n := min(len(g.waiting), most)
	calls := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	g.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	g.carryOut(ctx, calls)

	g.mu.Lock()
	defer g.mu.Unlock()
	g.passOn()
}

// passOn has the first who waits lead next. The lock is held.
func (g *Group) passOn() {
	for _, c := range g.waiting {
		if !c.chosen {
			c.chosen = true
			close(c.lead)
			return
		}
	}
	g.running--
}

// carryOut does all or, where the database refuses something, each half by itself.
func (g *Group) carryOut(ctx context.Context, calls []*call) {
	if len(calls) == 0 {
		return
	}
	all := &pgx.Batch{}
	for _, c := range calls {
		for _, q := range c.batch.QueuedQueries {
			// A copy: pgx ties what is sent to the connection, and this may be sent again.
			all.QueuedQueries = append(all.QueuedQueries, &pgx.QueuedQuery{SQL: q.SQL, Arguments: q.Arguments, Fn: q.Fn})
		}
	}
	err := g.db.SendBatch(ctx, all).Close()
	var refused *pgconn.PgError
	if errors.As(err, &refused) && len(calls) > 1 {
		g.carryOut(ctx, calls[:len(calls)/2])
		g.carryOut(ctx, calls[len(calls)/2:])
		return
	}
	for _, c := range calls {
		c.err = err
		close(c.done)
	}
}
