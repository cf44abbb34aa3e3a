package inbox

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	sagasql "go.example/saga/sql"
)

// Handler does the work of a batch inside tx and names the deliveries that can
// never be processed; those go to the quarantine, within the same transaction.
//
// It may be called again with the same deliveries, fewer of them or in other
// company, and with some that were processed before. An error means that nothing
// of this call may stand. The handler neither commits nor rolls back tx.
type Handler func(ctx context.Context, tx pgx.Tx, deliveries []Delivery) ([]Rejection, error)

// Rejection sets one delivery of a batch aside.
type Rejection struct {
	// Index is the delivery's place in the batch.
	Index int
	// Reason is a sentence for the operator. It must not quote the body.
	Reason string
}

// Config describes a consumer.
type Config struct {
	// Name of the consumer in logs and in inbox_quarantine.consumer.
	Name string
	// DB is where the handler's transactions run.
	DB *pgxpool.Pool
	// Schema holds inbox_quarantine; empty means public.
	Schema string
	// Open starts a session with the broker.
	Open func(ctx context.Context) (Source, error)
	// Handle does the work.
	Handle Handler
	// MaxBatch bounds the deliveries of one transaction; 0 means 100. Give the
	// session at least that prefetch.
	MaxBatch int
	// Rights are what the handler's own statements need in the Schema. The consumer begins
	// no session without them, and looks again while it runs.
	Rights []sagasql.Right
	// Report, where set, is told each time that something keeps the consumer from working,
	// and nil when it works; before the first call it has not begun. The error is the broker's where it Is [ErrBroker], else the
	// database's; for want of a right it names the statement that gives it. It Is
	// [ErrCircuitOpen] while messages are given back. A message that fails while others
	// commit is no trouble. It must not block.
	Report func(error)
	// Log receives what an operator should know; never a body.
	Log *zap.Logger
}

const defaultBatch = 100

// complete fills in the defaults and names what is missing.
func (c Config) complete() (Config, error) {
	var errs []error
	need := func(ok bool, field string) {
		if !ok {
			errs = append(errs, errors.New("inbox: Config."+field+" is missing"))
		}
	}
	need(c.Name != "", "Name")
	need(c.DB != nil, "DB")
	need(c.Open != nil, "Open")
	need(c.Handle != nil, "Handle")
	if c.MaxBatch < 0 {
		errs = append(errs, errors.New("inbox: Config.MaxBatch is negative"))
	}
	if c.MaxBatch == 0 {
		c.MaxBatch = defaultBatch
	}
	if c.Report == nil {
		c.Report = func(error) {}
	}
	c.Rights = append([]sagasql.Right{RightsToQuarantine}, c.Rights...)
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	c.Log = c.Log.With(zap.String("consumer", c.Name))
	return c, errors.Join(errs...)
}
