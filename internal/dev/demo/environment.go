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
	place services.Place
	// giveBack removes what the daemons, which have stopped, left in a virtual host
	// that is not the project's own.
	giveBack func(context.Context, services.Report) error
}

// prepare finds or starts the servers, makes what is missing on them and builds
// the daemons.
func prepare(ctx context.Context, report services.Report) (environment, error) {
	return prepareForm(ctx, stack.Apart, report)
}

// prepareForm is prepare for services that share a database in that form.
func prepareForm(ctx context.Context, form stack.Form, report services.Report) (environment, error) {
	place := services.Sample
	if form != stack.Apart {
		place = services.Shared(string(form))
	}
	root, err := services.Root()
	if err != nil {
		return environment{}, err
	}
	servers, err := services.Up(ctx, report)
	if err != nil {
		return environment{}, err
	}
	report("PostgreSQL %d (%s), RabbitMQ %s (%s)", servers.Postgres.Version, servers.Postgres.Way, servers.Broker.Version, servers.Broker.Way)
	borrowed, err := servers.PrepareIn(ctx, report, place)
	if err != nil {
		return environment{}, err
	}
	database := func(name string) string {
		if form != stack.Apart {
			name = place.Databases[0]
		}
		return servers.Postgres.Database(name)
	}
	env := environment{giveBack: keep, place: place, stack: stack.Settings{
		Form:        form,
		Root:        root,
		BinDir:      filepath.Join(root, "bin"),
		LogDir:      filepath.Join(root, ".local", "log"),
		Reservation: database(services.ReservationDatabase),
		Hotel:       database(services.HotelDatabase),
		Payment:     database(services.PaymentDatabase),
		AMQP:        servers.Broker.In(place),
		LogFormat:   "console",
	}}
	if borrowed {
		if env.giveBack, err = borrow(ctx, env.stack.AMQP); err != nil {
			return environment{}, err
		}
	}
	began := time.Now()
	report("building the daemons (the first time takes a minute)")
	if err := stack.Build(ctx, root, env.stack.BinDir); err != nil {
		return environment{}, err
	}
	report("built in %.1f s", time.Since(began).Seconds())
	return env, nil
}

// keep is giveBack for a virtual host of the project's own.
func keep(context.Context, services.Report) error { return nil }
