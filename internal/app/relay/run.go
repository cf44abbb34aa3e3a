package relay

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"go.example/saga/internal/app"
	"go.example/saga/pkg/httpcall"
	"go.example/saga/pkg/outbox/outboxpg"
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
	stopTracing, err := app.StartTracing(ctx, name, log)
	if err != nil {
		return err
	}
	defer stopTracing()
	registry := app.NewRegistry(namespace, "")
	targets, err := httpcall.ParseTargets(s.HTTPTargets, s.HTTPPrivate)
	if err != nil {
		return fmt.Errorf("HTTP_TARGETS: %w", err)
	}
	caller := httpcall.New(httpcall.Config{Targets: targets, PerHost: s.HTTPPerHost, Timeout: s.HTTPTimeout, Called: observeCalls(registry)})
	defer caller.Close()
	f := &fleet{
		settings: s, process: newHolder(), registry: registry, topology: app.WatchTopology(registry, log), caller: caller, targets: targets, log: log,
	}
	return app.Run(ctx, f.run, func(ctx context.Context) error {
		return app.ServeHealth(ctx, s.HealthAddr, f.topology.Ready(f.ready), log, app.MetricsEndpoint(registry, log))
	})
}

// forever is a task that cannot fail.
func forever(run func(context.Context)) func(context.Context) error {
	return func(ctx context.Context) error {
		run(ctx)
		<-ctx.Done() // a task that ends ends the others
		return nil
	}
}

// reshard sets the number of shards once, as soon as the database can be reached.
func reshard(ctx context.Context, d database, shards int, faults *engine.Faults, log *zap.Logger) {
	if shards == 0 {
		return
	}
	log = log.With(zap.String("database", d.name), zap.Int("shards", shards))
	_, _ = backoff.Retry(ctx, func() (int, error) {
		ctx, cancel := context.WithTimeout(ctx, statusTimeout)
		defer cancel()
		former, err := d.log.Reshard(ctx, shards)
		faults.Report(engine.TaskReshard, err)
		if err == nil && former != shards {
			log.Info("the number of shards has changed", zap.Int("former", former))
		}
		return former, err
	}, backoff.WithMaxElapsedTime(0))
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

func open(cfg rabbit.Config, window int) func(context.Context) (engine.Publisher, error) {
	return func(ctx context.Context) (engine.Publisher, error) {
		publisher, err := rabbit.OpenPublisher(ctx, cfg, window)
		if err != nil {
			return nil, err // and no nil pointer inside of the interface
		}
		return publisher, nil
	}
}

// watchBell reports that commits are not heard of, unless a pooler is why.
func watchBell(ctx context.Context, bell *outboxpg.Bell, faults *engine.Faults) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(bellPause):
		}
		var err error
		if state := bell.State(); !state.Listening && !state.Pooled {
			err = errors.New(state.Reason)
		}
		faults.Report(engine.TaskNotify, err)
	}
}

// bellPause is how often the bell is looked at; a connection that breaks has mostly been
// replaced by then.
const bellPause = 10 * time.Second
