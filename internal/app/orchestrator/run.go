// Package orchestrator wires the orchestrator's engine to the database, the broker
// and the health port.
package orchestrator

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/tasks"
	"go.example/saga/internal/config"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
)

const (
	name = "orchestrator"
	// poolSize serves one consumer and one timer loop, with room for a check and for
	// operators.
	poolSize = 6
	// adminPoolSize serves the operators' HTTP interface.
	adminPoolSize = 4
	// maxCheckPause is the longest pause while the database is not ready at start.
	maxCheckPause = 5 * time.Second
)

// The daemon's tasks, as its readiness and its metrics name them.
const (
	taskCheck     = "check"
	taskReplies   = "replies"
	taskTimers    = "timers"
	taskRetention = "retention"
	taskMetrics   = "metrics"
)

// Run drives sagas until ctx is done. Database and broker may be absent at the
// start and go away at any time. It ends with an error only where going on would
// be wrong: a definition of running sagas that this program does not understand,
// a port that is taken, or a token for operators that cannot be read.
func Run(ctx context.Context, s Settings) error {
	log, err := app.Logger(s.LogLevel, s.LogFormat)
	if err != nil {
		return err
	}
	log = log.Named(name)
	pool, err := app.OpenSteadyPool(ctx, s.DatabaseURL, name, poolSize)
	if err != nil {
		return err
	}
	// What operators ask for is planned for what they ask.
	operators, err := app.OpenPool(ctx, s.DatabaseURL, name+"-admin", adminPoolSize)
	if err != nil {
		return err
	}
	defer app.ClosePools(pool, operators)
	store, registry := sagapg.New(s.DatabaseSchema), app.NewRegistry(namespace)
	all := tasks.New(namespace, taskCheck, taskReplies, taskTimers, taskRetention, taskMetrics)
	registry.MustRegister(all)
	m := newMeter(registry, func(ctx context.Context) ([]sagapg.Census, error) { return store.Census(ctx, pool) }, all.Of(taskMetrics), log)
	e, err := engine.New(engine.Config{
		DB: pool, Store: store, MaxBatch: s.BatchSize, Observe: m.observe, Report: all.Of(taskTimers), Log: log,
	})
	if err != nil {
		return err
	}
	desk, err := engine.New(engine.Config{DB: operators, Store: store, Observe: m.observe, Log: log})
	if err != nil {
		return err
	}
	expiry := &engine.Expiry{DB: pool, Store: store, Retention: s.Retention, Report: all.Of(taskRetention), Log: log}
	countDeleted(registry, expiry.Deleted)
	countRecounted(registry, e.Recounted)
	replies := inbox.Config{
		Name: name, DB: pool, Schema: s.DatabaseSchema, Open: open(s), Handle: e.Handle, MaxBatch: s.BatchSize,
		Retention: s.QuarantineSettings.Retention(), Rights: s.rights(), Report: all.Of(taskReplies), Log: log,
	}
	held := app.WatchQuarantine(registry, &quarantine.Store{DB: pool, Schema: s.DatabaseSchema}, log)
	return app.Run(ctx,
		func(ctx context.Context) error {
			if err := check(ctx, e, s, all.Of(taskCheck), log); err != nil || ctx.Err() != nil {
				return err
			}
			return app.Run(ctx, e.RunTimers, expiry.Run, held, func(ctx context.Context) error { return inbox.Run(ctx, replies) })
		},
		m.run,
		func(ctx context.Context) error {
			return app.ServeHealth(ctx, s.HealthAddr, all.Ready, log, app.MetricsEndpoint(registry, log))
		},
		func(ctx context.Context) error { return serveAdmin(ctx, s, desk, log) },
	)
}

// check waits until the database answers and the role has its rights, and refuses to work
// on sagas whose plan this program does not understand.
func check(ctx context.Context, e *engine.Engine, s Settings, report func(error), log *zap.Logger) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.MaxInterval = maxCheckPause
	defs, err := backoff.Retry(ctx, func() ([]saga.Definition, error) {
		err := e.Store.CheckRights(ctx, e.DB, s.rights()...)
		if err != nil {
			return nil, err
		}
		defs, err := e.Check(ctx)
		if errors.Is(err, sagapg.ErrNoDefinition) || errors.Is(err, sagapg.ErrNotUnderstood) {
			return nil, backoff.Permanent(err)
		}
		return defs, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, pause time.Duration) {
		report(err)
		log.Warn("the database is not ready, trying again (has `orchestrator migrate` been run?)",
			zap.Error(err), zap.Duration("pause", pause))
	}))
	if ctx.Err() != nil {
		return nil
	}
	report(err)
	for _, def := range defs {
		if def.ReplyTo != s.ReplyQueue {
			log.Warn("running sagas wait for replies in a queue that this orchestrator does not read",
				zap.String("definition", def.Name), zap.Int("version", def.Version),
				zap.String("reply_to", def.ReplyTo), zap.String("REPLY_QUEUE", s.ReplyQueue))
		}
	}
	return err
}

func open(s Settings) func(context.Context) (inbox.Source, error) {
	cfg := rabbit.Config{Name: name, URL: reveal(s.AMQPURL)}
	// Two batches: one is worked on while the next one arrives.
	prefetch := 2 * s.BatchSize
	return func(ctx context.Context) (inbox.Source, error) {
		return rabbit.OpenConsumer(ctx, cfg, rabbit.ReplyTopology(s.ReplyQueue), s.ReplyQueue, prefetch)
	}
}

func reveal(url config.Secret) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return url.Reveal(), nil }
}
