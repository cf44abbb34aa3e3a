package demo

import (
	"context"
	"path/filepath"
	"time"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack"
)

// environment is the databases, the virtual host and the programs.
type environment struct {
	stack stack.Settings
	// giveBack removes what the daemons, which have stopped, left in a virtual host
	// that is not the project's own.
	giveBack func(context.Context, services.Report) error
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
	borrowed, err := servers.Prepare(ctx, report)
	if err != nil {
		return environment{}, err
	}
	env := environment{giveBack: keep, stack: stack.Settings{
		Root:        root,
		BinDir:      filepath.Join(root, "bin"),
		LogDir:      filepath.Join(root, ".local", "log"),
		Reservation: servers.Postgres.Database(services.ReservationDatabase),
		Hotel:       servers.Postgres.Database(services.HotelDatabase),
		Payment:     servers.Postgres.Database(services.PaymentDatabase),
		AMQP:        servers.Broker.Demo(),
		LogFormat:   "console",
	}}
	if borrowed {
		if env.giveBack, err = borrow(ctx, env.stack.AMQP); err != nil {
			return environment{}, err
		}
	}
	began := time.Now()
	report("building the five daemons (the first time takes a minute)")
	if err := stack.Build(ctx, root, env.stack.BinDir); err != nil {
		return environment{}, err
	}
	report("built in %.1f s", time.Since(began).Seconds())
	return env, nil
}

// keep is giveBack for a virtual host of the project's own.
func keep(context.Context, services.Report) error { return nil }
