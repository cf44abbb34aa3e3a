package demo

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack"
)

// Names of what the demo keeps on the servers. `make drop` removes them.
const (
	reservationDB = "saga_reservation"
	hotelDB       = "saga_hotel"
	paymentDB     = "saga_payment"
	vhost         = "saga_demo"
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
	if err := makeDatabases(ctx, servers.Postgres, report); err != nil {
		return environment{}, err
	}
	amqp, err := makeVhost(ctx, servers.Broker, report)
	if err != nil {
		return environment{}, err
	}
	env := environment{servers: servers, stack: stack.Settings{
		Root:        root,
		BinDir:      filepath.Join(root, "bin"),
		LogDir:      filepath.Join(root, ".local", "log"),
		Reservation: servers.Postgres.Database(reservationDB),
		Hotel:       servers.Postgres.Database(hotelDB),
		Payment:     servers.Postgres.Database(paymentDB),
		AMQP:        amqp,
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

func makeDatabases(ctx context.Context, postgres services.Postgres, report services.Report) error {
	present, err := postgres.Databases(ctx)
	if err != nil {
		return err
	}
	for _, name := range []string{reservationDB, hotelDB, paymentDB} {
		if slices.Contains(present, name) {
			continue
		}
		report("creating the database %s (make drop removes it)", name)
		if err := postgres.CreateDatabase(ctx, name, ""); err != nil {
			return err
		}
	}
	return nil
}

func makeVhost(ctx context.Context, broker services.Broker, report services.Report) (string, error) {
	present, err := broker.Vhosts(ctx)
	if err != nil {
		return "", fmt.Errorf("the virtual host %s: %w", vhost, err)
	}
	if !slices.Contains(present, vhost) {
		report("creating the virtual host %s (make drop removes it)", vhost)
		if _, err := broker.ChangeVhosts(ctx, []string{vhost}, nil); err != nil {
			return "", err
		}
	}
	return broker.Vhost(vhost), nil
}
