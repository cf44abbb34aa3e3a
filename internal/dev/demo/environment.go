package demo

import (
	"context"
	"path/filepath"
	"time"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack"
)

// environment is the servers, the databases on them and the programs.
type environment struct {
	servers services.Set
	stack   stack.Settings
}

// prepare finds or starts the servers, makes what is missing on them and builds
// the daemons.
func prepare(ctx context.Context, report services.Report) (environment, error) {
	root, err := services.Root()
	if err != nil {
		return environment{}, err
	}
	servers, err := services.Up(ctx, report)
	if err != nil {
		return environment{}, err
	}
	report("PostgreSQL %d (%s), RabbitMQ %s (%s)", servers.Postgres.Version, servers.Postgres.Way, servers.Broker.Version, servers.Broker.Way)
	if err := servers.Prepare(ctx, report); err != nil {
		return environment{}, err
	}
	env := environment{servers: servers, stack: stack.Settings{
		Root:        root,
		BinDir:      filepath.Join(root, "bin"),
		LogDir:      filepath.Join(root, ".local", "log"),
		Reservation: servers.Postgres.Database(services.ReservationDatabase),
		Hotel:       servers.Postgres.Database(services.HotelDatabase),
		Payment:     servers.Postgres.Database(services.PaymentDatabase),
		AMQP:        servers.DemoBroker(ctx),
		LogFormat:   "console",
	}}
	began := time.Now()
	report("building the five daemons (the first time takes a minute)")
	if err := stack.Build(ctx, root, env.stack.BinDir); err != nil {
		return environment{}, err
	}
	report("built in %.1f s", time.Since(began).Seconds())
	return env, nil
}
