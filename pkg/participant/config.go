package participant

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
)

// Command is what a handler is asked to do.
type Command = protocol.Command

// Step is how a service carries out one step of a saga. Handlers do their work
// through tx alone, one at a time, and must not end it; ctx ends with the transaction.
// They return nil, [Refuse], or an error that says: try again later.
//
// A bound on a statement belongs into the settings of the pool's connections
// (statement_timeout, lock_timeout): a context that ends during a statement costs
// the connection and with it the whole batch. SET LOCAL holds until the batch's
// transaction ends, so a handler that uses it has to set the value back, or the
// commands behind it run under it too.
type Step struct {
	// Request does the step's work; in a saga of mode TCC it only reserves. The
	// output is given to later steps and to the saga's event; nil is an empty one.
	// With the saga's payload and the outputs of other steps it has at most
	// [protocol.MaxContent] bytes, as PostgreSQL prints them.
	Request func(ctx context.Context, tx pgx.Tx, cmd Command) (output jsonmap.JSONMap, err error)
	// Confirm makes what Request reserved last, in a saga of mode TCC. Where nothing
	// has to be done for that, give a handler that returns nil; to leave it out says
	// that the step has no part in such sagas. Its CONFIRM is then set aside, and the
	// saga is parked in the end: better than one that is completed and holds nothing.
	Confirm func(ctx context.Context, tx pgx.Tx, cmd Command) error
	// Cancel undoes a Request that succeeded. It is nil for a step that cannot be
	// undone, a pivot or a retriable one.
	Cancel func(ctx context.Context, tx pgx.Tx, cmd Command) error
}

// Config describes a participant.
type Config struct {
	// Name of the participant in logs and in the quarantine.
	Name string
	// DB is the service's own database, with its outbox, inbox and barrier.
	DB *pgxpool.Pool
	// Schema holds the tables of this project; empty means public.
	Schema string
	// Open starts a session with the broker on the queue of the commands.
	Open func(ctx context.Context) (inbox.Source, error)
	// Steps by name, as the saga's definition calls them.
	Steps map[string]Step
	// MaxBatch bounds the commands of one transaction; 0 means 100.
	MaxBatch int
	// Connected, where set, is told whether a session with the broker is open.
	Connected func(bool)
	// Log receives what an operator should know; never a body.
	Log *zap.Logger
}

func (c Config) check() error {
	var errs []error
	if len(c.Steps) == 0 {
		errs = append(errs, errors.New("participant: Config.Steps is empty"))
	}
	for name, step := range c.Steps {
		if name == "" || step.Request == nil {
			errs = append(errs, fmt.Errorf("participant: Config.Steps[%q] needs a name and a Request", name))
		}
	}
	return errors.Join(errs...)
}
