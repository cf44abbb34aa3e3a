package inbox

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"
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
	// Connected, where set, is told whether a session is open: the Store of an
	// [sync/atomic.Bool] that readiness looks at.
	Connected func(bool)
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
	if c.Connected == nil {
		c.Connected = func(bool) {}
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	c.Log = c.Log.With(zap.String("consumer", c.Name))
	return c, errors.Join(errs...)
}
