package sagapg

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// readRow is a row of the table saga; its steps have no order yet. The columns that
// are derived from others are not read.
type readRow struct {
	state      saga.State
	stepStatus map[string]saga.StepStatus
	waiting    map[string]waiting
	sent       sending
}

// readJSON holds the columns of jsonb as they were read.
type readJSON struct{ stepStatus, waiting, payload, outputs, signals, failure []byte }

// scan reads the columns of load.sql, and those that due.sql has besides.
func scan(due bool) pgx.RowToFunc[readRow] {
	return func(row pgx.CollectableRow) (readRow, error) {
		var (
			r                 readRow
			j                 readJSON
			id                uuid.UUID
			businessKey       *string
			deadline, endedAt *time.Time
		)
		s := &r.state
		into := []any{
			&id, &s.Type, &s.DefinitionVersion, &s.Status, &s.Paused, &j.stepStatus, &j.waiting, &j.payload, &j.outputs,
			&j.signals, &j.failure, &businessKey, &s.Webhooks, &s.Version, &deadline, &s.StartedAt, &s.UpdatedAt, &endedAt,
		}
		if due {
			into = append(into, &r.sent.xact, &r.sent.shard, &r.sent.held, &r.sent.dead)
		}
		if err := row.Scan(into...); err != nil {
			return readRow{}, err
		}
		s.ID, s.BusinessKey = saga.ID(id), value(businessKey)
		s.Deadline, s.EndedAt = value(deadline), value(endedAt)
		if err := r.parse(j); err != nil {
			return readRow{}, &SagaError{s.ID, err}
		}
		return r, nil
	}
}

func (r *readRow) parse(j readJSON) (err error) {
	if r.state.Payload, err = jsonmap.Parse(j.payload); err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	if r.state.Outputs, err = jsonmap.Parse(j.outputs); err != nil {
		return fmt.Errorf("outputs: %w", err)
	}
	var signals map[string]signal
	var failed *failure
	for _, column := range []struct {
		name string
		text []byte
		into any
	}{
		{"step_status", j.stepStatus, &r.stepStatus},
		{"waiting", j.waiting, &r.waiting},
		{"signals", j.signals, &signals},
		{"failure", j.failure, &failed},
	} {
		if column.text == nil {
			continue
		}
		if err := json.Unmarshal(column.text, column.into); err != nil {
			return fmt.Errorf("%s: %w", column.name, err)
		}
	}
	r.state.Signals = fromSignals(signals)
	if failed != nil {
		r.state.Failure = &saga.Failure{Step: failed.Step, Class: failed.Class, Problem: failed.Problem}
	}
	return nil
}

// value is what the pointer points to; NULL is the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
