package participant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/inbox/quarantine"
	sagasql "go.example/saga/sql"
)

// Config describes a participant.
type Config struct {
	// Service is the participant's name, as its tables were given it when they were
	// migrated: definitions of sagas send commands to it.
	Service string
	// DB is the service's own database, with its outbox, inbox and barrier.
	DB *pgxpool.Pool
	// Schema holds the tables of this project; empty means public.
	Schema string
	// Open starts a session with the broker on the queue of the service's commands. A
	// participant that is only called by HTTP, see [Participant.Handler], needs none.
	Open func(ctx context.Context, owner sagasql.Service) (inbox.Source, error)
	// Steps by name, as the saga's definition calls them.
	Steps map[string]Step
	// MaxBatch bounds the commands of one transaction; 0 means 100.
	MaxBatch int
	// Workers is how many transactions run side by side, each with a connection of DB, and one
	// more that answers what comes again meanwhile; 0 means 4. One saga's commands never do. While commands are done within 50 ms, one
	// transaction follows another: that is less work.
	Workers int
	// Budget is how much work a transaction takes up; 0 means 500 ms. What is not begun then
	// goes into the next. A handler that outruns it beside other commands is ended, and
	// begun again by itself.
	Budget time.Duration
	// Limit is how long a handler may take for one command; 0 means 30 s. Then its context
	// ends, and the command is answered that it should come again. Give the step's timeout
	// in the saga's definition more.
	Limit time.Duration
	// WithoutRelay has commands taken whether or not a relay of this project is seen to
	// publish the answers: for tests, and where something else publishes the outbox. By
	// default none are taken while no relay serves the outbox, or answers have lain there for 2 s.
	WithoutRelay bool
	// Remember is for how long a saga is remembered in the barrier after it began and after
	// its step ended; 0 means 90 days, and less than 0 for ever. It is at least a day. A command for a saga
	// that is forgotten is refused, and the saga parked in the end.
	Remember time.Duration
	// Retention is how long messages are kept that were set aside and that nobody needs.
	Retention quarantine.Retention
	// Report, where set, is told each time that something keeps the participant from
	// working, and nil when it works: see [inbox.Config].
	Report func(error)
	// Log receives what an operator should know; never a body.
	Log *zap.Logger
}

const (
	// DefaultMaxBatch is that of [Config.MaxBatch].
	DefaultMaxBatch = 100
	// DefaultWorkers is that of [Config.Workers].
	DefaultWorkers = 4
	// DefaultBudget is that of [Config.Budget].
	DefaultBudget = inbox.DefaultBudget
	// DefaultLimit is that of [Config.Limit].
	DefaultLimit = inbox.DefaultLimit
)

func (c Config) complete() Config {
	c.MaxBatch = cmp.Or(c.MaxBatch, DefaultMaxBatch)
	c.Workers = cmp.Or(c.Workers, DefaultWorkers)
	c.Budget = cmp.Or(c.Budget, DefaultBudget)
	c.Limit = cmp.Or(c.Limit, DefaultLimit)
	c.Remember = cmp.Or(c.Remember, DefaultRemember)
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	return c
}

func (c Config) check() error {
	var errs []error
	if c.Workers < 0 || c.Budget < 0 || c.Limit < 0 {
		errs = append(errs, errors.New("participant: Config.Workers, Config.Budget or Config.Limit is negative"))
	}
	if err := sagasql.CheckServiceName(c.Service); err != nil {
		errs = append(errs, fmt.Errorf("participant: Config.Service: %w", err))
	}
	if c.DB == nil {
		errs = append(errs, errors.New("participant: Config.DB is missing"))
	}
	if c.Remember > 0 && c.Remember < MinRemember {
		errs = append(errs, errRemember)
	}
	if len(c.Steps) == 0 {
		errs = append(errs, errors.New("participant: Config.Steps is empty"))
	}
	for name, step := range c.Steps {
		errs = append(errs, step.check(name))
	}
	return errors.Join(errs...)
}
