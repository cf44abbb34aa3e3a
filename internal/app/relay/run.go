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
	databases, closeAll, err := openDatabases(ctx, s, name)
	if err != nil {
		return err
	}
	defer closeAll()
	process := newHolder()
	registry := app.NewRegistry(namespace, "")
	var crews []*engine.Crew
	var faults []databaseFaults
	var tasks []func(context.Context) error
	for i, d := range databases {
		// Numbered, because a database that is listed under two addresses has two
		// crews, and they have to share.
		cfg := engine.Config{
			Name: d.name, Log: d.log, Open: open(s), Holder: fmt.Sprintf("%s/%d", process, i+1),
			Lease: s.Lease, Window: s.Window, Page: s.Page, RetryFor: s.RetryFor, Logger: log,
		}
		failing := engine.NewFaults(d.name, log)
		faults = append(faults, databaseFaults{d.name, failing})
		meter := newMeter(d, s.DatabaseSchema, failing)
		cfg.Faults, cfg.Confirmed = failing, meter.confirmed
		var bell *outboxpg.Bell
		if !s.PollOnly {
			bell = outboxpg.NewBell(d.pool, s.DatabaseSchema, log.With(zap.String("database", d.name)))
			cfg.Rung = func() (<-chan struct{}, bool) {
				if !bell.State().Listening {
					return nil, false
				}
				return bell.Next(), bell.Often()
			}
			tasks = append(tasks, bell.Run, forever(func(ctx context.Context) { watchBell(ctx, bell, failing) }))
		}
		crew, err := engine.NewCrew(cfg)
		if err != nil {
			return err
		}
		crews = append(crews, crew)
		if err := meter.register(registry, crew, bell); err != nil {
			return fmt.Errorf("metrics of database %s: %w", d.name, err)
		}
		upkeep := &engine.Upkeep{
			Log: d.log, Name: d.name, PartitionRows: s.PartitionRows, Retention: s.Retention, Logger: log, Faults: failing,
		}
		tasks = append(tasks, crew.Run, forever(meter.run), forever(upkeep.Run),
			forever(func(ctx context.Context) { reshard(ctx, d, s.Shards, failing, log) }))
	}
	log.Info("relaying", zap.Int("databases", len(crews)), zap.String("holder", process))
	tasks = append(tasks, func(ctx context.Context) error {
		return app.ServeHealth(ctx, s.HealthAddr, func() error { return ready(crews, faults) }, log,
			app.MetricsEndpoint(registry, log))
	})
	return app.Run(ctx, tasks...)
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

func open(s Settings) func(context.Context) (engine.Publisher, error) {
	cfg := broker(s)
	return func(ctx context.Context) (engine.Publisher, error) {
		publisher, err := rabbit.OpenPublisher(ctx, cfg, s.Window)
		if err != nil {
			return nil, err // and no nil pointer inside of the interface
		}
		return publisher, nil
	}
}

func broker(s Settings) rabbit.Config {
	return rabbit.Config{
		Name: name, URL: s.amqpURL, TLS: rabbit.TLSFiles(s.AMQPCAFile, s.AMQPCertFile, s.AMQPKeyFile),
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

// databaseFaults are what fails of one database's relay.
type databaseFaults struct {
	database string
	*engine.Faults
}

// ready is nil when all crews do what they should, and a remark where other tasks fail:
// messages flow without them. Else it names the crews that do not.
func ready(crews []*engine.Crew, faults []databaseFaults) error {
	var errs, remarks []error
	for _, c := range crews {
		if st := c.Status(); !st.State.Healthy() {
			errs = append(errs, fmt.Errorf("%s, shard %d: %s %s", st.Name, st.Shard, st.State, st.LastError))
		}
	}
	for _, d := range faults {
		for _, f := range d.Failing() {
			remarks = append(remarks, fmt.Errorf("%s: %s fails since %s: %w", d.database, f.Task, f.Since.UTC().Format(time.RFC3339), f.Err))
		}
	}
	if errs == nil && remarks != nil {
		return &app.Remark{Err: errors.Join(remarks...)}
	}
	return errors.Join(append(errs, remarks...)...)
}
