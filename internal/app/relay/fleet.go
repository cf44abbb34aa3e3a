package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"go.example/saga/internal/app"
	"go.example/saga/pkg/httpcall"
	"go.example/saga/pkg/outbox/outboxpg"
	engine "go.example/saga/pkg/outbox/relay"
	"go.example/saga/pkg/webhook"
)

// followPause is how often the list of databases is looked at.
const followPause = 5 * time.Second

// fleet relays each database of the list, and follows the list when it changes.
type fleet struct {
	settings Settings
	process  string
	registry prometheus.Registerer
	topology *app.Topology
	caller   *httpcall.Caller
	targets  httpcall.Targets
	log      *zap.Logger
	started  int // how many were, of which each has a holder's name of its own

	mu      sync.Mutex
	relayed []*relayed
	list    error // why the list cannot be followed
}

// relayed is one database's relay at work.
type relayed struct {
	database
	crew     *engine.Crew
	webhooks *webhook.Caller
	faults   *engine.Faults
	tasks    []func(context.Context) error
	close    func()
	stop     context.CancelFunc
	ended    chan error
}

// run goes on until ctx is done. A list that cannot be read at the start is an error; later
// the former one holds.
func (f *fleet) run(ctx context.Context) error {
	if err := f.follow(ctx); err != nil {
		return errors.Join(err, f.stopAll())
	}
	f.log.Info("relaying", zap.Int("databases", len(f.relayed)), zap.String("holder", f.process))
	tick := time.NewTicker(followPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return f.stopAll()
		case <-tick.C:
		}
		err := f.follow(ctx)
		f.mu.Lock()
		before := f.list
		f.list = err
		f.mu.Unlock()
		if err != nil && (before == nil || before.Error() != err.Error()) {
			f.log.Error("the list of databases cannot be followed, going on with the former one", zap.Error(err))
		}
		for _, r := range f.relayed {
			select {
			case err := <-r.ended:
				r.ended <- err
				return errors.Join(err, f.stopAll())
			default:
			}
		}
	}
}

// follow starts and stops relays as the list says now.
func (f *fleet) follow(ctx context.Context) error {
	wanted, err := f.settings.entries()
	if err != nil {
		return err
	}
	if len(wanted) == 0 {
		return fmt.Errorf("%w: the list is empty", ErrSettings)
	}
	var kept []*relayed
	for _, r := range f.relayed {
		if slices.ContainsFunc(wanted, func(e entry) bool { return e.name == r.name }) {
			kept = append(kept, r)
			continue
		}
		f.log.Info("a database has left the list, its relay stops", zap.String("database", r.name))
		if err := r.end(); err != nil {
			f.log.Warn("the relay of a database that left the list ended", zap.String("database", r.name), zap.Error(err))
		}
	}
	for _, e := range wanted {
		if slices.ContainsFunc(kept, func(r *relayed) bool { return e.name == r.name }) {
			continue
		}
		r, err := f.start(ctx, e)
		if err != nil {
			f.set(kept)
			return err
		}
		kept = append(kept, r)
	}
	f.set(kept)
	return nil
}

func (f *fleet) set(all []*relayed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.relayed = all
}

func (f *fleet) stopAll() error {
	errs := make([]error, len(f.relayed))
	var all sync.WaitGroup
	for i, r := range f.relayed {
		all.Go(func() { errs[i] = r.end() })
	}
	all.Wait()
	return errors.Join(errs...)
}

// end stops a relay and waits for it, in order.
func (r *relayed) end() error {
	r.stop()
	err := <-r.ended
	r.webhooks.Close()
	r.close()
	return err
}

// start relays one more database.
func (f *fleet) start(ctx context.Context, e entry) (*relayed, error) {
	d, err := f.settings.openDatabase(ctx, e, name)
	if err != nil {
		return nil, err
	}
	r := &relayed{database: d, ended: make(chan error, 1)}
	if err := f.build(r); err != nil {
		app.ClosePools(d.pool)
		return nil, err
	}
	ctx, r.stop = context.WithCancel(ctx)
	go func() { r.ended <- app.Run(ctx, r.tasks...) }()
	return r, nil
}

// build makes the tasks of one database's relay.
func (f *fleet) build(r *relayed) error {
	// Numbered, because a database that is listed under two addresses has two
	// crews, and they have to share.
	f.started++
	s := f.settings
	r.webhooks = webhook.NewCaller(r.pool, s.DatabaseSchema, f.targets, f.log)
	cfg := engine.Config{
		Name: r.name, Log: r.log, Open: open(f.topology.Broker(s.Broker, name), s.Window), Holder: fmt.Sprintf("%s/%d", f.process, f.started),
		Lease: s.Lease, Window: s.Window, Page: s.Page, RetryFor: s.RetryFor, Caller: engine.Callers{f.caller, r.webhooks}, Logger: f.log,
	}
	r.faults = engine.NewFaults(r.name, f.log)
	meter := newMeter(r.database, r.faults)
	cfg.Faults, cfg.Confirmed = r.faults, meter.confirmed
	var bell *outboxpg.Bell
	if !s.PollOnly {
		bell = outboxpg.NewBell(r.pool, r.schema, f.log.With(zap.String("database", r.name)))
		cfg.Rung = func() (<-chan struct{}, bool) {
			if !bell.State().Listening {
				return nil, false
			}
			return bell.Next(), bell.Often()
		}
		r.tasks = append(r.tasks, bell.Run, forever(func(ctx context.Context) { watchBell(ctx, bell, r.faults) }))
	}
	var err error
	if r.crew, err = engine.NewCrew(cfg); err != nil {
		return err
	}
	if err := meter.register(f.registry, r.crew, bell); err != nil {
		return fmt.Errorf("metrics of database %s: %w", r.name, err)
	}
	r.close = func() {
		meter.unregister(f.registry)
		app.ClosePools(r.pool)
	}
	upkeep := &engine.Upkeep{
		Log: r.log, Name: r.name, PartitionRows: s.PartitionRows, Retention: s.Retention, Logger: f.log, Faults: r.faults,
	}
	r.tasks = append(r.tasks, r.crew.Run, forever(meter.run), forever(upkeep.Run),
		forever(func(ctx context.Context) { reshard(ctx, r.database, s.Shards, r.faults, f.log) }))
	return nil
}

// ready is nil when all crews do what they should, and a remark where other tasks fail:
// messages flow without them. Else it names the crews that do not.
func (f *fleet) ready() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs, remarks []error
	if f.list != nil {
		remarks = append(remarks, fmt.Errorf("the list of databases cannot be followed, the former one holds: %w", f.list))
	}
	for _, r := range f.relayed {
		if st := r.crew.Status(); !st.State.Healthy() {
			errs = append(errs, fmt.Errorf("%s, shard %d: %s %s", st.Name, st.Shard, st.State, st.LastError))
		}
		for _, fault := range r.faults.Failing() {
			remarks = append(remarks, fmt.Errorf("%s: %s fails since %s: %w", r.name, fault.Task, fault.Since.UTC().Format(time.RFC3339), fault.Err))
		}
	}
	if errs == nil && remarks != nil {
		return &app.Remark{Err: errors.Join(remarks...)}
	}
	return errors.Join(append(errs, remarks...)...)
}
