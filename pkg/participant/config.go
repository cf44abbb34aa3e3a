package participant

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox"
)

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
	// Report, where set, is told each time that something keeps the participant from
	// working, and nil when it works: see [inbox.Config].
	Report func(error)
	// Log receives what an operator should know; never a body.
	Log *zap.Logger
}

func (c Config) check() error {
	var errs []error
	if len(c.Steps) == 0 {
		errs = append(errs, errors.New("participant: Config.Steps is empty"))
	}
	for name, step := range c.Steps {
		errs = append(errs, step.check(name))
	}
	return errors.Join(errs...)
}
