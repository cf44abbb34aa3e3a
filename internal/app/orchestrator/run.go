// Package orchestrator wires the orchestrator's engine to the database, the broker
// and the health port.
package orchestrator

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/tasks"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/outbox/outboxpg"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
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
// be wrong: the database or the reply queue is another service's, a port that is taken, a token for operators that cannot be read, or
// a choreography to watch that is none.
func Run(ctx context.Context, s Settings) error {
	choreographies, err := s.Choreographies()
	if err != nil {
		return err
	}
	log, err := app.Logger(s.LogLevel, s.LogFormat)
	if err != nil {
		return err
	}
	log = log.Named(name)
	pool, err := app.OpenSteadyPool(ctx, s.DatabaseAddress, name, poolSize)
	if err != nil {
		return err
	}
	// What operators ask for is planned for what they ask.
	operators, err := app.OpenPool(ctx, s.DatabaseAddress, name+"-admin", adminPoolSize)
	if err != nil {
		return err
	}
	defer app.ClosePools(pool, operators)
	if s.Service == "" {
		if s.Service, err = awaitService(ctx, pool, s.DatabaseSchema, log); err != nil || ctx.Err() != nil {
			return err
		}
	}
	store, registry := sagapg.New(s.DatabaseSchema, s.Service), app.NewRegistry(namespace, s.Service)
	topology := app.WatchTopology(registry, log)
	broker := topology.Broker(s.Broker, name)
	all := tasks.New(namespace, taskNames(len(choreographies) > 0)...)
	registry.MustRegister(all)
	m := newMeter(registry, func(ctx context.Context) ([]sagapg.Census, error) { return store.Census(ctx, pool) }, all.Of(taskMetrics), log)
	unknown := watchPlans(registry, func(ctx context.Context) ([]sagapg.UnknownPlan, error) {
		_, unknown, err := store.CheckDefinitions(ctx, pool)
		return unknown, err
	}, log)
	lookout := &rabbit.Lookout{Config: app.Broker(s.Broker, name+"-look")}
	defer func() { _ = lookout.Close() }()
	e, err := engine.New(engine.Config{
		DB: pool, Store: store, MaxBatch: s.BatchSize, Observe: m.observe, Report: all.Of(taskTimers), Queues: queues(lookout), Log: log,
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
		Name: name, DB: pool, Schema: s.DatabaseSchema, Service: s.Service, Open: open(broker, s.BatchSize), Handle: e.Handle, MaxBatch: s.BatchSize,
		Retention: s.QuarantineSettings.Retention(), Rights: s.rights(), Report: all.Of(taskReplies), Log: log,
	}
	watch, err := watch(choreographies, registry, replies, topology.Broker(s.Broker, name+"-"+taskWatch), all.Of(taskWatch), s.Retention)
	if err != nil {
		return err
	}
	held := app.WatchQuarantine(registry, &quarantine.Store{DB: pool, Schema: s.DatabaseSchema}, log)
	service := app.WatchService(registry, outboxpg.New(pool, s.DatabaseSchema), log)
	return app.Run(ctx,
		func(ctx context.Context) error {
			if err := check(ctx, e, s, all.Of(taskCheck), log); err != nil || ctx.Err() != nil {
				return err
			}
			return app.Run(ctx, e.RunTimers, expiry.Run, held, service.Run, unknown.run, watch, func(ctx context.Context) error { return inbox.Run(ctx, replies) },
				app.DrainDeadLetters(replies, broker, all.Of(app.TaskDeadLetters)))
		},
		m.run,
		func(ctx context.Context) error {
			return app.ServeHealth(ctx, s.HealthAddr, unknown.ready(topology.Ready(service.Ready(all.Ready))), log, app.MetricsEndpoint(registry, log))
		},
		func(ctx context.Context) error { return serveAdmin(ctx, s, desk, log) },
	)
}

// awaitService waits until the tables say whose they are.
func awaitService(ctx context.Context, db *pgxpool.Pool, schema string, log *zap.Logger) (string, error) {
	service, err := backoff.Retry(ctx, func() (sagasql.Service, error) { return sagasql.LoadService(ctx, db, schema, "") },
		backoff.WithBackOff(checkPauses()), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, pause time.Duration) {
			log.Warn("without SERVICE the database has to say whose sagas these are, trying again (has `orchestrator migrate` been run?)",
				zap.Error(err), zap.Duration("pause", pause))
		}))
	if ctx.Err() != nil {
		return "", nil
	}
	return service.Name, err
}

func checkPauses() *backoff.ExponentialBackOff {
	pauses := backoff.NewExponentialBackOff()
	pauses.MaxInterval = maxCheckPause
	return pauses
}

// check waits until the database answers and the role has its rights, and refuses to work
// on sagas of another service.
func check(ctx context.Context, e *engine.Engine, s Settings, report func(error), log *zap.Logger) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := e.Store.CheckRights(ctx, e.DB, s.rights()...)
		if err == nil {
			_, err = sagasql.LoadService(ctx, e.DB, s.DatabaseSchema, s.Service)
		}
		if err == nil {
			_, _, err = e.Check(ctx)
		}
		if errors.Is(err, sagasql.ErrOtherService) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(checkPauses()), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, pause time.Duration) {
		report(err)
		log.Warn("the database is not ready, trying again (has `orchestrator migrate` been run?)",
			zap.Error(err), zap.Duration("pause", pause))
	}))
	if ctx.Err() != nil {
		return nil
	}
	report(err)
	return err
}

func open(cfg rabbit.Config, batch int) func(context.Context, sagasql.Service) (inbox.Source, error) {
	// Two batches: one is worked on while the next one arrives.
	prefetch := 2 * batch
	return func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
		return rabbit.OpenConsumer(ctx, cfg, rabbit.ReplyTopology(owner), protocol.ReplyQueue(owner.Name), prefetch)
	}
}

// queues asks the broker who takes what lies in queues.
func queues(lookout *rabbit.Lookout) func(context.Context, []string) ([]engine.Queue, error) {
	return func(ctx context.Context, names []string) ([]engine.Queue, error) {
		states, err := lookout.Look(ctx, names...)
		if err != nil {
			return nil, err
		}
		found := make([]engine.Queue, len(states))
		for i, state := range states {
			found[i] = engine.Queue(state)
		}
		return found, nil
	}
}
