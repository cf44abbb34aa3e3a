package sample

import (
	"context"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/tasks"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/outbox/outboxpg"
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
	pool, err := app.OpenHandlersPool(ctx, s.DatabaseAddress, name, int32(s.Workers+spare), s.Limit)
	if err != nil {
		return err
	}
	defer app.ClosePools(pool)
	registry := app.NewRegistry("saga_"+name, s.Service)
	topology := app.WatchTopology(registry, log)
	broker := topology.Broker(s.Broker, s.Service)
	all := tasks.New("saga_"+name, taskCommands, app.TaskDeadLetters)
	p, err := participant.New(participant.Config{
		Service: s.Service,
		DB:      pool,
		Open: func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
			return open(ctx, broker, rabbit.CommandTopology(owner), protocol.CommandQueue(owner.Name))
		},
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
	registry.MustRegister(all)
	held := app.WatchQuarantine(registry, &quarantine.Store{DB: pool}, log)
	drain := app.DrainDeadLetters(inbox.Config{Name: name, Service: s.Service, DB: pool, Retention: s.Retention(), Log: log},
		broker, all.Of(app.TaskDeadLetters))
	service := app.WatchService(registry, outboxpg.New(pool, ""), log)
	return app.Run(ctx,
		func(ctx context.Context) error {
			err := migrate(ctx, s.Settings, log, ParticipantLines(line)...)
			if err != nil || ctx.Err() != nil {
				return err
			}
			return app.Run(ctx, p.Run, drain, held, service.Run)
		},
		// From the first moment: a process that waits for its database is alive.
		func(ctx context.Context) error {
			return app.ServeHealth(ctx, s.HealthAddr, topology.Ready(service.Ready(all.Ready)), log, app.MetricsEndpoint(registry, log))
		},
	)
}

func open(ctx context.Context, broker rabbit.Config, topology rabbit.Topology, queue string) (inbox.Source, error) {
	consumer, err := rabbit.OpenConsumer(ctx, broker, topology, queue, prefetch)
	if err != nil {
		return nil, err // and no nil pointer inside of the interface
	}
	return consumer, nil
}
