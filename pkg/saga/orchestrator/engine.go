package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// Config describes an engine.
type Config struct {
	// DB holds the sagas and their outbox.
	DB *pgxpool.Pool
	// Store reads and writes them.
	Store *sagapg.Store
	// MaxBatch bounds the timers of one transaction; 0 means 100.
	MaxBatch int
	// Observe is told every decision before it is committed, so a batch that has to be
	// repeated is told again; nil tells nobody. It must not block and is called from
	// several goroutines.
	Observe func(saga.Transition)
	// Report, where set, is told how each round of timers went. It must not block.
	Report func(error)
	// Queues asks the broker about queues, by name; what it does not speak of may be left
	// out. It is asked at most every two seconds, and only when the time of commands is over
	// that were published. Nil asks nobody: then commands count as taken as soon as they are
	// published.
	Queues func(ctx context.Context, names []string) ([]Queue, error)
	// Log receives what an operator should know; never a payload.
	Log *zap.Logger
}

// Engine applies events to sagas. It is safe for concurrent use.
type Engine struct {
	Config
	timing timing
	// trouble is the error of the last round of timers, or of a saga that is left out of
	// them; nil if all went well.
	trouble   atomic.Pointer[error]
	recounted atomic.Int64
}

// timing holds the pauses of the timer loop. Tests make them short.
type timing struct {
	sweep    time.Duration // longest sleep between two looks at the timers
	maxPause time.Duration // longest pause while the database fails
	postpone time.Duration // how long a saga that fails is left out
	batch    time.Duration // how long one transaction may take, also at the end
	recount  time.Duration // shortest time between two looks for sagas of the future
	ask      time.Duration // how long what the broker says of a queue is good for
}

var standard = timing{
	sweep:    500 * time.Millisecond,
	maxPause: 5 * time.Second,
	postpone: 10 * time.Second,
	batch:    10 * time.Second,
	recount:  10 * time.Second,
	ask:      2 * time.Second,
}

const defaultBatch = 100

// New makes an engine.
func New(cfg Config) (*Engine, error) {
	switch {
	case cfg.DB == nil:
		return nil, errors.New("orchestrator: Config.DB is missing")
	case cfg.Store == nil:
		return nil, errors.New("orchestrator: Config.Store is missing")
	case cfg.MaxBatch < 0:
		return nil, errors.New("orchestrator: Config.MaxBatch is negative")
	}
	if cfg.MaxBatch == 0 {
		cfg.MaxBatch = defaultBatch
	}
	if cfg.Observe == nil {
		cfg.Observe = func(saga.Transition) {}
	}
	if cfg.Report == nil {
		cfg.Report = func(error) {}
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	return &Engine{Config: cfg, timing: standard}, nil
}

// Check proves that the role has the rights that the engine needs, reads the definition
// of every saga that has not ended and returns them, beside those that this program cannot
// follow. An error may go away by itself. A RightsError of package sql names the statements
// that help.
func (e *Engine) Check(ctx context.Context) ([]saga.Definition, []sagapg.UnknownPlan, error) {
	if err := e.Store.CheckRights(ctx, e.DB, sagapg.RightsToDrive...); err != nil {
		return nil, nil, fmt.Errorf("orchestrator: %w", err)
	}
	defs, unknown, err := e.Store.CheckDefinitions(ctx, e.DB)
	if err != nil {
		return nil, nil, fmt.Errorf("orchestrator: %w", err)
	}
	return defs, unknown, nil
}

// keep remembers how the last round went.
func (e *Engine) keep(err error) {
	var trouble *error
	if err != nil {
		trouble = &err
	}
	e.trouble.Store(trouble)
	e.Report(err)
}

// Ready is nil if the last look at the timers went well, which says that the database
// answers too, and no saga is left out because its timer fails.
func (e *Engine) Ready() error {
	if err := e.trouble.Load(); err != nil {
		return fmt.Errorf("timers: %w", *err)
	}
	return nil
}
