package relay

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"go.uber.org/zap"

	"go.example/saga/internal/app"
	"go.example/saga/internal/config"
	engine "go.example/saga/pkg/outbox/relay"
	"go.example/saga/pkg/rabbit"
)

const name = "relay"

// Run relays every database's outbox until ctx is done. Databases and broker may
// be absent at the start and go away at any time, one by one or together: each
// database has its own engine, pool and session with the broker. It ends with an
// error only for wrong settings or a health port that is taken.
func Run(ctx context.Context, s Settings) error {
	log, err := app.Logger(s.LogLevel, s.LogFormat)
	if err != nil {
		return err
	}
	log = log.Named(name)
	databases, closeAll, err := openDatabases(ctx, s, name)
	if err != nil {
		return err
	}
	defer closeAll()
	process := newHolder()
	var engines []*engine.Engine
	var tasks []func(context.Context) error
	for i, d := range databases {
		// Numbered, because a database that is listed under two addresses has two
		// engines, and one of them has to stand by.
		holder := fmt.Sprintf("%s/%d", process, i+1)
		e, err := engine.New(engine.Config{
			Name: d.name, Log: d.log, Open: open(s), Holder: holder,
			Lease: s.Lease, Window: s.Window, Page: s.Page, Logger: log,
		})
		if err != nil {
			return err
		}
		engines = append(engines, e)
		tasks = append(tasks, e.Run)
	}
	log.Info("relaying", zap.Int("databases", len(engines)), zap.String("holder", process))
	tasks = append(tasks, func(ctx context.Context) error {
		return app.ServeHealth(ctx, s.HealthAddr, func() error { return ready(engines) }, log)
	})
	return app.Run(ctx, tasks...)
}

// newHolder names this process in the leases: readable, and not even a process
// with the same number in another container has the same.
func newHolder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown-host"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), strings.ToLower(rand.Text()[:6]))
}

func open(s Settings) func(context.Context) (engine.Publisher, error) {
	cfg := broker(s.AMQPURL)
	return func(ctx context.Context) (engine.Publisher, error) {
		publisher, err := rabbit.OpenPublisher(ctx, cfg, s.Window)
		if err != nil {
			return nil, err // and no nil pointer inside of the interface
		}
		return publisher, nil
	}
}

func broker(url config.Secret) rabbit.Config {
	return rabbit.Config{Name: name, URL: func(context.Context) (string, error) { return url.Reveal(), nil }}
}

// ready is nil when all engines do what they should; else it names the others.
func ready(engines []*engine.Engine) error {
	var errs []error
	for _, e := range engines {
		if st := e.Status(); !st.State.Healthy() {
			errs = append(errs, fmt.Errorf("%s: %s %s", st.Name, st.State, st.LastError))
		}
	}
	return errors.Join(errs...)
}
