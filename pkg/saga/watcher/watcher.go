package watcher

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// Rights are what a watcher's role needs beside those of every consumer.
var Rights = []sagasql.Right{
	{On: "saga_watch", Privileges: "SELECT, INSERT, UPDATE, DELETE"},
	{On: "saga_watched", Privileges: "SELECT"},
	{On: "saga_hidden", Privileges: "EXECUTE"},
}

// Outcome is what became of a fact.
type Outcome string

const (
	// Marked facts are part of a course, Known ones were heard before.
	Marked Outcome = "marked"
	Known  Outcome = "known"
	// Unexpected facts are expected by no definition and no course.
	Unexpected Outcome = "unexpected"
	// Old facts are older than the retention, and their course is not there.
	Old Outcome = "old"
	// Refused messages are no facts.
	Refused Outcome = "refused"
)

// Config describes a watcher.
type Config struct {
	// Choreographies are what is expected; each has its own name.
	Choreographies []saga.Choreography
	DB             *pgxpool.Pool
	// Schema holds saga_watch; empty means public.
	Schema string
	// Retention is how long a course is kept after its end; 0 is for ever.
	Retention time.Duration
	// Observe, where set, is told what became of the facts of a batch, each time that it is
	// tried. It must not block.
	Observe func(Outcome)
	Log     *zap.Logger
}

// Watcher hears facts. Make one with [New].
type Watcher struct {
	Config
	clock, begin, load, save, expire, late string
}

// New judges the definitions.
func New(cfg Config) (*Watcher, error) {
	names := map[string]bool{}
	for _, def := range cfg.Choreographies {
		if err := def.Validate(); err != nil {
			return nil, fmt.Errorf("choreography %s: %w", def.Name, err)
		}
		if names[def.Name] {
			return nil, fmt.Errorf("choreography %s is given twice: give one version of it", def.Name)
		}
		names[def.Name] = true
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Outcome) {}
	}
	query := func(name string) string { return sagasql.Query(cfg.Schema, "saga/"+name+".sql") }
	return &Watcher{
		Config: cfg, clock: query("clock"), begin: query("watch_begin"), load: query("watch_load"),
		save: query("watch_save"), expire: query("watch_expire"), late: query("watch_late"),
	}, nil
}

// Patterns are the routing keys of the facts to hear.
func (w *Watcher) Patterns() (keys []string) {
	for _, def := range w.Choreographies {
		for _, e := range def.Watch(saga.ID{}, time.Time{}).Events {
			if key := protocol.FactKey(e.From, e.Name); !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// heard is a fact and when it was sent.
type heard struct {
	protocol.Fact
	sent time.Time
}

// Handle is the [inbox.Handler] for the queue of the facts.
func (w *Watcher) Handle(ctx context.Context, tx pgx.Tx, ds []inbox.Delivery) (rejected []inbox.Rejection, err error) {
	var facts []heard
	for i, d := range ds {
		fact, err := protocol.DecodeFact(d)
		if err != nil {
			w.Observe(Refused)
			rejected = append(rejected, inbox.Rejection{Index: i, Code: inbox.Undecodable, Reason: err.Error()})
			continue
		}
		facts = append(facts, heard{fact, d.Timestamp})
	}
	if len(facts) == 0 {
		return rejected, nil
	}
	if err := w.hear(ctx, tx, facts); err != nil {
		return nil, fmt.Errorf("watch %d facts: %w", len(facts), err)
	}
	return rejected, nil
}

func (w *Watcher) hear(ctx context.Context, tx pgx.Tx, facts []heard) error {
	var now time.Time
	if err := tx.QueryRow(ctx, w.clock).Scan(&now); err != nil {
		return fmt.Errorf("ask for the time: %w", err)
	}
	began, err := w.beginAll(ctx, tx, facts, now)
	if err != nil {
		return err
	}
	known, err := w.loadAll(ctx, tx, facts)
	if err != nil {
		return err
	}
	outcomes, changed := mark(known, began, facts, now)
	for i, f := range facts {
		switch {
		case outcomes[i] != "":
		case w.old(f, now):
			outcomes[i] = Old
		case w.expects(f):
			return fmt.Errorf("the course of %s was deleted meanwhile, repeat the transaction", uuid.UUID(f.SagaID))
		default:
			outcomes[i] = Unexpected
		}
	}
	if err := w.saveAll(ctx, tx, changed); err != nil {
		return err
	}
	for i, outcome := range outcomes {
		w.Observe(outcome)
		if f := facts[i]; outcome == Old || outcome == Unexpected {
			w.Log.Debug("a fact was ignored", zap.String("outcome", string(outcome)), zap.String("type", f.Type),
				zap.String("service", f.Service), zap.Stringer("correlation_id", uuid.UUID(f.SagaID)))
		}
	}
	return nil
}

// old says that the fact begins no course, because one of its age would be deleted.
func (w *Watcher) old(f heard, now time.Time) bool {
	return w.Retention > 0 && !f.sent.IsZero() && f.sent.Before(now.Add(-w.Retention))
}

func (w *Watcher) expects(f heard) bool {
	return slices.Contains(w.Patterns(), protocol.FactKey(f.Service, f.Type))
}

// key is that of a row.
type key struct {
	id   saga.ID
	name string
}

func keyOf(c saga.Watched) key { return key{c.ID, c.Choreography} }

// beginAll inserts the courses that are not there, as the facts of this batch make them, and
// returns which it has begun.
func (w *Watcher) beginAll(ctx context.Context, tx pgx.Tx, facts []heard, now time.Time) (began map[key]bool, err error) {
	courses := map[key]saga.Watched{}
	var order []key
	for _, f := range facts {
		if w.old(f, now) {
			continue
		}
		for _, def := range w.Choreographies {
			k := key{f.SagaID, def.Name}
			course, there := courses[k]
			if !there {
				course = def.Watch(f.SagaID, now)
			}
			course, expected, _ := course.Hear(f.Type, f.Service, f.Subject, now)
			if !expected {
				continue
			}
			if courses[k] = course; !there {
				order = append(order, k)
			}
		}
	}
	began = map[key]bool{}
	if len(order) == 0 {
		return began, nil
	}
	var rows columns
	for _, k := range order {
		rows.add(courses[k])
	}
	found, _ := tx.Query(ctx, w.begin, rows.ids, rows.names, rows.versions, rows.keys, rows.statuses, rows.events,
		rows.started, rows.updated, rows.due, rows.ended)
	var id uuid.UUID
	var name string
	_, err = pgx.ForEachRow(found, []any{&id, &name}, func() error {
		began[key{saga.ID(id), name}] = true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("begin courses: %w", err)
	}
	return began, nil
}

// mark has the courses hear the facts, but for those that have begun with them. A fact that
// no course expects has no outcome yet.
func mark(known []saga.Watched, began map[key]bool, facts []heard, now time.Time) (outcomes []Outcome, changed []saga.Watched) {
	outcomes = make([]Outcome, len(facts))
	for _, course := range known {
		fresh, touched := began[keyOf(course)], false
		for i, f := range facts {
			if f.SagaID != course.ID {
				continue
			}
			next, expected, news := course.Hear(f.Type, f.Service, f.Subject, now)
			course, touched = next, touched || news
			switch {
			case expected && (news || fresh):
				outcomes[i] = Marked
			case expected && outcomes[i] == "":
				outcomes[i] = Known
			}
		}
		if touched {
			changed = append(changed, course)
		}
	}
	return outcomes, changed
}
