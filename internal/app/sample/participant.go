package sample

import (
	"context"
	"fmt"
	"net/http"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/tasks"
	"go.example/saga/internal/httpapi"
	"go.example/saga/internal/sample/reaction"
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

// readsPoolSize is how many reads are at the database at a time.
const readsPoolSize = 4

// taskCommands is the participant's one task, as its readiness names it.
const taskCommands = "commands"

// prefetch is how many deliveries wait in the process: two batches. So many slow commands
// have to wait before a fast one behind them is not delivered.
const prefetch = 200

// Participant is a service that carries out steps of the saga.
type Participant struct {
	// Name is the program's.
	Name string
	// Parts are its steps, for a schema, and with CHOREOGRAPHY what it does after facts of others.
	Parts func(schema string) []reaction.Reaction
	// Lines are its own tables, beside the outbox, the inbox and the barrier.
	Lines []sagasql.Line
	// Things are what its HTTP interface, Reads, shows of each saga.
	Things []string
	Reads  func(db *pgxpool.Pool, schema string, log *zap.Logger) http.Handler
}

// Serve runs the participant until ctx is done: the consumer of its commands, with
// CHOREOGRAPHY that of facts, and, where
// the settings name an address for it, the HTTP interface.
func (who Participant) Serve(ctx context.Context, s ParticipantSettings) error {
	name := who.Name
	parts := who.Parts(s.DatabaseSchema)
	if s.Choreography && len(parts) > 1 {
		return fmt.Errorf("CHOREOGRAPHY: %s is several services under one name, whose facts could not be told apart", name)
	}
	steps := map[string]participant.Step{}
	for _, part := range parts {
		steps[part.Step] = part.Work
	}
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
	all := tasks.New("saga_"+name, s.taskNames(taskCommands)...)
	p, err := participant.New(participant.Config{
		Service: s.Service,
		DB:      pool,
		Schema:  s.DatabaseSchema,
		Open: func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
			return open(ctx, broker, rabbit.CommandTopology(owner), protocol.CommandQueue(owner.Name))
		},
		Steps:   steps,
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
	held := app.WatchQuarantine(registry, &quarantine.Store{DB: pool, Schema: s.DatabaseSchema}, log)
	drain := app.DrainDeadLetters(inbox.Config{Name: name, Service: s.Service, DB: pool, Schema: s.DatabaseSchema, Retention: s.Retention(), Log: log},
		broker, all.Of(app.TaskDeadLetters))
	service := app.WatchService(registry, outboxpg.New(pool, s.DatabaseSchema), log)
	return app.Run(ctx,
		func(ctx context.Context) error {
			err := migrate(ctx, s.Settings, log, ParticipantLines(who.Lines...)...)
			if err != nil || ctx.Err() != nil {
				return err
			}
			return app.Run(ctx, p.Run, drain, held, service.Run,
				func(ctx context.Context) error { return who.serveReads(ctx, s, log) },
				s.hearFacts(pool, broker, all.Of(taskFacts), log, parts[0].Keys(), parts[0].Handler(s.Service)))
		},
		// From the first moment: a process that waits for its database is alive.
		func(ctx context.Context) error {
			return app.ServeHealth(ctx, s.HealthAddr, topology.Ready(service.Ready(all.Ready)), log, app.MetricsEndpoint(registry, log))
		},
	)
}

// serveReads answers reads, with connections of their own: however many come, the
// commands have theirs.
func (who Participant) serveReads(ctx context.Context, s ParticipantSettings, log *zap.Logger) error {
	if s.ListenAddr == "" {
		<-ctx.Done()
		return nil
	}
	pool, err := app.OpenSteadyPool(ctx, s.DatabaseAddress, who.Name+" reads", readsPoolSize)
	if err != nil {
		return err
	}
	defer app.ClosePools(pool)
	return httpapi.Serve(ctx, s.ListenAddr, who.Reads(pool, s.DatabaseSchema, log), log)
}

func open(ctx context.Context, broker rabbit.Config, topology rabbit.Topology, queue string) (inbox.Source, error) {
	consumer, err := rabbit.OpenConsumer(ctx, broker, topology, queue, prefetch)
	if err != nil {
		return nil, err // and no nil pointer inside of the interface
	}
	return consumer, nil
}
