package sample

import (
	"context"
	"errors"
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
	// catchUpPause is between two tries to catch up with those that are left.
	catchUpPause = time.Minute
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
	service := reservation.NewService(pool, s.DatabaseSchema, s.Service)
	service.Bound(s.MaxRunning, log)
	awaitStart := func(ctx context.Context, report func(error)) error { return awaitDefinition(ctx, service, report, log) }
	if s.Choreography {
		service.WithoutOrchestrator()
		awaitStart = func(_ context.Context, report func(error)) error { report(nil); return nil }
	}
	all := tasks.New(name, s.taskNames(taskStart, taskEvents)...)
	registry := app.NewRegistry("saga_"+name, s.Service)
	topology := app.WatchTopology(registry, log)
	broker := topology.Broker(s.Broker, s.Service)
	catching := &catchingUp{service: service, log: log, left: make(chan struct{}, 1)}
	listener := inbox.Config{
		Name:      name,
		Service:   s.Service,
		DB:        pool,
		Schema:    s.DatabaseSchema,
		Open:      listen(broker, catching.once),
		Handle:    service.Listen(log),
		Patience:  s.Patience,
		Retention: s.Retention(),
		Report:    all.Of(taskEvents),
		Log:       log,
	}
	held := app.WatchQuarantine(registry, &quarantine.Store{DB: pool, Schema: s.DatabaseSchema}, log)
	relayed := app.WatchService(registry, outboxpg.New(pool, s.DatabaseSchema), log)
	return app.Run(ctx,
		func(ctx context.Context) error {
			err := migrate(ctx, s.Settings, log, ReservationLines...)
			if err != nil || ctx.Err() != nil {
				return err
			}
			return app.Run(ctx,
				func(ctx context.Context) error { return awaitStart(ctx, all.Of(taskStart)) },
				s.hearFacts(pool, broker, all.Of(taskFacts), log, reservation.FactKeys(), service.Hear),
				func(ctx context.Context) error { return inbox.Run(ctx, listener) },
				catching.run,
				app.DrainDeadLetters(listener, broker, all.Of(app.TaskDeadLetters)),
				held,
				relayed.Run,
				func(ctx context.Context) error {
					parts := api.Parts{Hotel: s.HotelURL, Payment: s.PaymentURL, Within: s.PartsWithin}
					return httpapi.Serve(ctx, s.ListenAddr, api.Handler(service, parts, log), log)
				})
		},
		// Alive from the first moment. Ready means that reservations are accepted, and
		// will end. That needs no broker for the moment, so the service must not be
		// taken out of reach when the broker is away.
		func(ctx context.Context) error {
			ready := func() error {
				if err := all.ReadyBut(tasks.Broker); err != nil {
					return err
				}
				if err := all.Ready(); err != nil {
					return &app.Remark{Err: err}
				}
				return nil
			}
			return app.ServeHealth(ctx, s.HealthAddr, topology.Ready(relayed.Ready(ready)), log, app.MetricsEndpoint(registry, log))
		},
	)
}

// listen opens sessions that hear every event from now on, and catches up with
// those that came before the queue was there.
func listen(broker rabbit.Config, catchUp func(context.Context) error) func(context.Context, sagasql.Service) (inbox.Source, error) {
	return func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
		queue := protocol.EventQueue(owner.Name)
		source, err := open(ctx, broker, rabbit.EventTopology(owner, queue, reservation.EventKey(owner.Name)), queue)
		if err != nil {
			return nil, err
		}
		if err := catchUp(ctx); err != nil {
			_ = source.Close() // that it failed is said already
			return nil, err
		}
		return source, nil
	}
}

// catchingUp catches up, and does it again while the database refuses the ends of some
// reservations: for these no event may come any more, and all others must not wait for them.
type catchingUp struct {
	service *reservation.Service
	log     *zap.Logger
	left    chan struct{} // has one while some are left
}

// once is an error where nobody could be caught up with.
func (c *catchingUp) once(ctx context.Context) error {
	err := c.service.CatchUp(ctx)
	var left *reservation.LeftError
	if !errors.As(err, &left) {
		return err
	}
	c.log.Warn("reservations miss their end for now", zap.Error(err), zap.Duration("again_in", catchUpPause))
	c.mark()
	return nil
}

func (c *catchingUp) mark() {
	select {
	case c.left <- struct{}{}:
	default:
	}
}

func (c *catchingUp) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.left:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(catchUpPause):
		}
		if err := c.once(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("reservations miss their end for now", zap.Error(err), zap.Duration("again_in", catchUpPause))
			c.mark()
		}
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
