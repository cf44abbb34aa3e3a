package sample

import (
	"context"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/tasks"
	"go.example/saga/internal/config"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

// spare are the connections beside those of the workers.
const spare = 4

// taskCommands is the participant's one task, as its readiness names it.
const taskCommands = "commands"

// prefetch is how many deliveries wait in the process: two batches. So many slow commands
// have to wait before a fast one behind them is not delivered.
const prefetch = 200

// ServeParticipant runs one participant with one step until ctx is done. Its
// database holds the given line beside the outbox, the inbox and the barrier.
func ServeParticipant(ctx context.Context, s ParticipantSettings, name, step string, work participant.Step, line sagasql.Line) error {
	log, err := app.Logger(s.LogLevel, s.LogFormat)
	if err != nil {
		return err
	}
	log = log.Named(name)
	pool, err := app.OpenHandlersPool(ctx, s.DatabaseURL, name, int32(s.Workers+spare), s.Limit)
	if err != nil {
		return err
	}
	defer app.ClosePools(pool)
	all := tasks.New(name, taskCommands)
	p, err := participant.New(participant.Config{
		Name:    name,
		DB:      pool,
		Open:    open(s.AMQPURL, name, rabbit.CommandTopology(step), protocol.CommandQueue(step)),
		Steps:   map[string]participant.Step{step: work},
		Workers: s.Workers, Budget: s.Budget, Limit: s.Limit,
		Remember:  app.OrForEver(s.Remember),
		Retention: s.Retention(),
		Report:    all.Of(taskCommands),
		Log:       log,
	})
	if err != nil {
		return err
	}
	registry := app.NewRegistry("saga_" + name)
	held := app.WatchQuarantine(registry, &quarantine.Store{DB: pool}, log)
	return app.Run(ctx,
		func(ctx context.Context) error {
			err := migrate(ctx, s.DatabaseURL, log, ParticipantLines(line)...)
			if err != nil || ctx.Err() != nil {
				return err
			}
			return app.Run(ctx, p.Run, held)
		},
		// From the first moment: a process that waits for its database is alive.
		func(ctx context.Context) error {
			return app.ServeHealth(ctx, s.HealthAddr, all.Ready, log, app.MetricsEndpoint(registry, log))
		},
	)
}

func open(url config.Secret, name string, topology rabbit.Topology, queue string) func(context.Context) (inbox.Source, error) {
	cfg := rabbit.Config{
		Name: name,
		URL:  func(context.Context) (string, error) { return url.Reveal(), nil },
	}
	return func(ctx context.Context) (inbox.Source, error) {
		consumer, err := rabbit.OpenConsumer(ctx, cfg, topology, queue, prefetch)
		if err != nil {
			return nil, err // and no nil pointer inside of the interface
		}
		return consumer, nil
	}
}
