package sagapg

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/saga"
)

// SagaError is an error of one saga's row: it cannot be read, or its plan cannot be
// used. Other sagas are not concerned.
type SagaError struct {
	ID  saga.ID
	Err error
}

func (e *SagaError) Error() string { return fmt.Sprintf("saga %s: %v", uuid.UUID(e.ID), e.Err) }
func (e *SagaError) Unwrap() error { return e.Err }

// Loaded is a saga that this transaction has locked, and the plan it follows.
type Loaded struct {
	State      saga.State
	Definition saga.Definition
	// Unknown is why this program cannot follow the saga's plan; nil where it can. The
	// Definition stands in for it then, and nothing but killing the saga makes sense.
	Unknown error
	// Timer is the event for a saga that [Store.Due] has found.
	Timer saga.Timer
	sent  sending
}

// Load locks the sagas, in id order, until the transaction ends, and returns those
// that exist with the database's time. The time is read after the last lock was
// granted, so that a saga's history never runs backwards while the database's clock does
// not. The waits of one that was written in the future are counted anew: see [Store.Recount]. After an error the
// transaction has to be rolled back and may be repeated; a [*SagaError] comes again.
func (s *Store) Load(ctx context.Context, tx pgx.Tx, ids []saga.ID) ([]Loaded, time.Time, error) {
	return s.read(ctx, tx, &pgx.Batch{}, "load", uuids(ids))
}

// postponedAtOnce bounds how many sagas that were looked at early a call of
// [Store.Due] puts off. The next call goes on.
const postponedAtOnce = 1000

// Due locks at most limit running sagas whose WakeAt has come, the longest due
// first, but not those in except nor those that another transaction has locked. On
// the way it puts off when others are looked at, whose timers were moved since, and
// notes in seen how far the relay is. The rest is as with [Store.Load].
func (s *Store) Due(ctx context.Context, tx pgx.Tx, limit int, except []saga.ID, seen *Published) ([]Loaded, time.Time, error) {
	batch := &pgx.Batch{}
	batch.Queue(s.query("postpone"), postponedAtOnce)
	var settled []string
	batch.Queue(s.query("settled")).QueryRow(func(row pgx.Row) error { return row.Scan(&settled) })
	loaded, now, err := s.read(ctx, tx, batch, "due", limit, uuids(except))
	if err != nil {
		return nil, time.Time{}, err
	}
	if err := seen.note(settled, now); err != nil {
		return nil, time.Time{}, err
	}
	for i := range loaded {
		loaded[i].Timer = seen.timer(loaded[i].sent, now)
	}
	return loaded, now, nil
}

// Rest leaves the sagas, which this transaction has locked, alone until the given times,
// without a word in their history: nothing happened to them.
func (s *Store) Rest(ctx context.Context, tx pgx.Tx, until map[saga.ID]time.Time) error {
	if len(until) == 0 {
		return nil
	}
	ids, times := make([]saga.ID, 0, len(until)), make([]time.Time, 0, len(until))
	for id, at := range until {
		ids, times = append(ids, id), append(times, at)
	}
	if _, err := tx.Exec(ctx, s.query("rest"), uuids(ids), times); err != nil {
		return fmt.Errorf("leave %d sagas alone for a while: %w", len(ids), err)
	}
	return nil
}

// NextWake returns how long it is, by the database's clock, until [Store.Due] has
// something to look at, not counting the sagas in except; negative if it has already.
// No timer is due before. ok is false if none is set.
func (s *Store) NextWake(ctx context.Context, db DB, except []saga.ID) (wait time.Duration, ok bool, err error) {
	var micros *int64
	if err := db.QueryRow(ctx, s.query("next_wake"), uuids(except)).Scan(&micros); err != nil {
		return 0, false, fmt.Errorf("ask for the next timer (safe to retry): %w", err)
	}
	if micros == nil {
		return 0, false, nil
	}
	return time.Duration(*micros) * time.Microsecond, true, nil
}

// read runs the batch, a locking query and then asks for the time, in one round trip.
func (s *Store) read(ctx context.Context, tx pgx.Tx, batch *pgx.Batch, query string, args ...any) ([]Loaded, time.Time, error) {
	var read []readRow
	var now time.Time
	batch.Queue(s.query(query), args...).Query(func(rows pgx.Rows) (err error) {
		read, err = pgx.CollectRows(rows, scan(query == "due"))
		return err
	})
	batch.Queue(s.query("clock")).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, time.Time{}, fmt.Errorf("lock sagas: %w", err)
	}
	loaded := make([]Loaded, len(read))
	unknown := map[definitionKey]error{} // each is read once
	for i, r := range read {
		plan := definitionKey{r.state.Type, r.state.DefinitionVersion}
		def, err := saga.Definition{}, unknown[plan]
		if err == nil {
			def, err = s.Definition(ctx, tx, plan.name, plan.version)
		}
		var why error
		if err != nil && notFollowed(err) {
			unknown[plan], why = err, err
			def, err = r.standIn(), nil
		}
		if err == nil {
			loaded[i], err = r.assemble(def)
			loaded[i].recount(now)
			loaded[i].Unknown = why
		}
		if err != nil {
			return nil, time.Time{}, &SagaError{r.state.ID, err}
		}
	}
	return loaded, now, nil
}

// assemble puts the steps into the order of the plan that the saga follows.
func (r readRow) assemble(def saga.Definition) (Loaded, error) {
	r.state.Steps = make([]saga.StepState, len(def.Steps))
	for i, step := range def.Steps {
		w := r.waiting[step.Name]
		r.state.Steps[i] = saga.StepState{
			Name: step.Name, Status: r.stepStatus[step.Name], Attempt: w.Attempt, WakeAt: w.WakeAt, Park: w.Park,
			Held:    saga.Held{Reason: w.Held.Reason, Since: w.Held.Since},
			Retried: saga.Retried{Times: w.Retried.Times, For: time.Duration(w.Retried.For), Attempt: w.Retried.Attempt},
		}
		delete(r.stepStatus, step.Name)
		delete(r.waiting, step.Name)
	}
	if len(r.stepStatus) > 0 || len(r.waiting) > 0 {
		return Loaded{}, fmt.Errorf("step_status or waiting names steps that definition %s version %d does not have", def.Name, def.Version)
	}
	return Loaded{State: r.state, Definition: def, sent: r.sent}, nil
}

// uuids are as pgx sends them fastest: a uuid.UUID goes by its text, twenty times as slow.
func uuids(ids []saga.ID) [][16]byte {
	converted := make([][16]byte, len(ids))
	for i, id := range ids {
		converted[i] = id
	}
	return converted
}
