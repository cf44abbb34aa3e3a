package sagapg

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/jsonmap"
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
}

// Load locks the sagas, in id order, until the transaction ends, and returns those
// that exist with the database's time. The time is read after the last lock was
// granted, so that a saga's history never runs backwards. After an error the
// transaction has to be rolled back and may be repeated; a [*SagaError] comes again.
func (s *Store) Load(ctx context.Context, tx pgx.Tx, ids []saga.ID) ([]Loaded, time.Time, error) {
	return s.read(ctx, tx, "load", uuids(ids))
}

// Due locks at most limit running sagas whose WakeAt has come, the longest due
// first, but not those in except nor those that another transaction has locked. The
// rest is as with [Store.Load].
func (s *Store) Due(ctx context.Context, tx pgx.Tx, limit int, except []saga.ID) ([]Loaded, time.Time, error) {
	return s.read(ctx, tx, "due", limit, uuids(except))
}

// NextWake returns how long it is, by the database's clock, until the next timer is
// due, not counting the sagas in except; negative if one is overdue. ok is false if
// no timer is set.
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

// read runs a locking query and then asks for the time, in one round trip.
func (s *Store) read(ctx context.Context, tx pgx.Tx, query string, args ...any) ([]Loaded, time.Time, error) {
	batch := &pgx.Batch{}
	batch.Queue(s.query(query), args...)
	batch.Queue(s.query("clock"))
	results := tx.SendBatch(ctx, batch)
	rows, _ := results.Query()
	read, err := pgx.CollectRows(rows, scan)
	var now time.Time
	if err == nil {
		err = results.QueryRow().Scan(&now)
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("lock sagas: %w", err)
	}
	loaded := make([]Loaded, len(read))
	for i, r := range read {
		if loaded[i], err = s.assemble(ctx, tx, r); err != nil {
			return nil, time.Time{}, &SagaError{r.state.ID, err}
		}
	}
	return loaded, now, nil
}

// readRow is a row of the table saga; its steps have no order yet.
type readRow struct {
	state      saga.State
	stepStatus map[string]saga.StepStatus
}

// scan reads the columns of load.sql and due.sql.
func scan(row pgx.CollectableRow) (readRow, error) {
	var (
		r                                        readRow
		id                                       uuid.UUID
		step, operation, parkReason, businessKey *string
		attempt                                  *int
		stepStatus, payload, outputs, failed     []byte
		wakeAt, endedAt                          *time.Time
	)
	s := &r.state
	err := row.Scan(&id, &s.Type, &s.DefinitionVersion, &s.Status, &step, &operation, &attempt, &stepStatus,
		&payload, &outputs, &failed, &parkReason, &businessKey, &s.Version,
		&wakeAt, &s.StartedAt, &s.UpdatedAt, &endedAt)
	if err != nil {
		return readRow{}, err
	}
	s.ID = saga.ID(id)
	s.CurrentStep, s.Operation, s.Attempt = value(step), saga.Operation(value(operation)), value(attempt)
	s.ParkReason, s.BusinessKey = saga.ParkReason(value(parkReason)), value(businessKey)
	s.WakeAt, s.EndedAt = value(wakeAt), value(endedAt)
	if err := r.parse(payload, outputs, failed, stepStatus); err != nil {
		return readRow{}, &SagaError{s.ID, err}
	}
	return r, nil
}

func (r *readRow) parse(payload, outputs, failed, stepStatus []byte) (err error) {
	if r.state.Payload, err = jsonmap.Parse(payload); err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	if r.state.Outputs, err = jsonmap.Parse(outputs); err != nil {
		return fmt.Errorf("outputs: %w", err)
	}
	if r.state.Failure, err = parseFailure(failed); err != nil {
		return fmt.Errorf("failure: %w", err)
	}
	if err := json.Unmarshal(stepStatus, &r.stepStatus); err != nil {
		return fmt.Errorf("step_status: %w", err)
	}
	return nil
}

func parseFailure(text []byte) (*saga.Failure, error) {
	if text == nil {
		return nil, nil
	}
	var f failure
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	return &saga.Failure{Step: f.Step, Class: f.Class, Problem: f.Problem}, nil
}

// assemble puts the steps into the order of the plan that the saga follows.
func (s *Store) assemble(ctx context.Context, db DB, r readRow) (Loaded, error) {
	def, err := s.Definition(ctx, db, r.state.Type, r.state.DefinitionVersion)
	if err != nil {
		return Loaded{}, err
	}
	r.state.Steps = make([]saga.StepState, len(def.Steps))
	known := 0
	for i, step := range def.Steps {
		status, there := r.stepStatus[step.Name]
		if there {
			known++
		}
		r.state.Steps[i] = saga.StepState{Name: step.Name, Status: status}
	}
	if known != len(r.stepStatus) {
		return Loaded{}, fmt.Errorf("step_status names steps that definition %s version %d does not have", def.Name, def.Version)
	}
	return Loaded{State: r.state, Definition: def}, nil
}

// value is what the pointer points to; NULL is the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func uuids(ids []saga.ID) []uuid.UUID {
	converted := make([]uuid.UUID, len(ids))
	for i, id := range ids {
		converted[i] = uuid.UUID(id)
	}
	return converted
}
