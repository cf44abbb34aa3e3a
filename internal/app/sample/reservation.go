package sample

import (
	"context"
	"time"

	"go.uber.org/zap"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/tasks"
	"go.example/saga/internal/httpapi"
	"go.example/saga/internal/sample/reservation"
	"go.example/saga/internal/sample/reservation/api"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/outbox/outboxpg"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

const (
	requestPoolSize = 16
	// definitionPoll is how soon a definition is noticed that is applied after
	// the start; definitionNotice how often the log says what is waited for.
	definitionPoll   = 500 * time.Millisecond
	definitionNotice = 30 * time.Second
	// The service's tasks, as its readiness names them.
	taskStart  = "reservations"
	taskEvents = "events"
)

// ServeReservation runs the reservation service until ctx is done: the HTTP
// interface and the listener to saga events. It answers 503 to new reservations
// until the saga's definition has been applied, and while too many sagas run.
func ServeReservation(ctx context.Context, s ReservationSettings) error {
	const name = "reservation"
	log, err := app.Logger(s.LogLevel, s.LogFormat)
	if err != nil {
		return err
	}
	log = log.Named(name)
	pool, err := app.OpenSteadyPool(ctx, s.DatabaseAddress, name, requestPoolSize)
	if err != nil {
		return err
	}
	defer app.ClosePools(pool)
	service := reservation.NewService(pool, s.Service)
	service.Bound(s.MaxRunning, log)
	all := tasks.New(name, taskStart, taskEvents, app.TaskDeadLetters)
	listener := inbox.Config{
		Name:      name,
		Service:   s.Service,
		DB:        pool,
		Open:      listen(s.Settings, service),
		Handle:    reservation.Listen(log),
		Patience:  s.Patience,
		Retention: s.Retention(),
		Report:    all.Of(taskEvents),
		Log:       log,
	}
	registry := app.NewRegistry("saga_"+name, s.Service)
	held := app.WatchQuarantine(registry, &quarantine.Store{DB: pool}, log)
	relayed := app.WatchService(registry, outboxpg.New(pool, ""), log)
	return app.Run(ctx,
		func(ctx context.Context) error {
			err := migrate(ctx, s.Settings, log, ReservationLines...)
			if err != nil || ctx.Err() != nil {
				return err
			}
			return app.Run(ctx,
				func(ctx context.Context) error { return awaitDefinition(ctx, service, all.Of(taskStart), log) },
				func(ctx context.Context) error { return inbox.Run(ctx, listener) },
				app.DrainDeadLetters(listener, s.Broker, all.Of(app.TaskDeadLetters)),
				held,
				relayed.Run,
				func(ctx context.Context) error {
					return httpapi.Serve(ctx, s.ListenAddr, api.Handler(service, log), log)
				})
		},
		// Alive from the first moment. Ready means that reservations are accepted, and
		// will end. That needs no broker for the moment, so the service must not be
		// taken out of reach when the broker is away.
		func(ctx context.Context) error {
			return app.ServeHealth(ctx, s.HealthAddr, relayed.Ready(func() error { return all.ReadyBut(tasks.Broker) }), log, app.MetricsEndpoint(registry, log))
		},
	)
}

// listen opens sessions that hear every event from now on, and catches up with
// those that came before the queue was there.
func listen(s Settings, service *reservation.Service) func(context.Context, sagasql.Service) (inbox.Source, error) {
	return func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
		queue := protocol.EventQueue(owner.Name)
		source, err := open(ctx, s, rabbit.EventTopology(owner, queue, reservation.EventKey(owner.Name)), queue)
		if err != nil {
			return nil, err
		}
		if err := service.CatchUp(ctx); err != nil {
			_ = source.Close() // that it failed is said already
			return nil, err
		}
		return source, nil
	}
}

// awaitDefinition returns when the service can start sagas.
func awaitDefinition(ctx context.Context, service *reservation.Service, report func(error), log *zap.Logger) error {
	var noticed time.Time
	for {
		def, err := service.LoadDefinition(ctx)
		report(err)
		if err == nil {
			log.Info("new sagas follow the definition", zap.String("name", def.Name), zap.Int("version", def.Version))
			return nil
		}
		if time.Since(noticed) > definitionNotice && ctx.Err() == nil {
			noticed = time.Now()
			log.Warn("no reservation can be placed yet", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(definitionPoll):
		}
	}
}
