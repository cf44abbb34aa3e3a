package sagapg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/saga"
)

// ErrNoSaga means that there is no saga of this id.
var ErrNoSaga = errors.New("no such saga")

// Overview is a line of the view saga_orchestrated. Fields that are null there are
// left out of the JSON form.
type Overview struct {
	ID                string      `json:"id"`
	Type              string      `json:"type"`
	BusinessKey       *string     `json:"businessKey,omitempty"`
	Status            saga.Status `json:"status"`
	Paused            bool        `json:"paused,omitempty"`
	Steps             string      `json:"steps"`
	WaitsFor          *string     `json:"waitsFor,omitempty"`
	NextWake          *time.Time  `json:"nextWake,omitempty"`
	AgeSeconds        int64       `json:"ageSeconds"`
	Reason            *string     `json:"reason,omitempty"`
	DefinitionVersion int         `json:"definitionVersion"`
	Version           int64       `json:"version"`
	StartedAt         time.Time   `json:"startedAt"`
	UpdatedAt         time.Time   `json:"updatedAt"`
	EndedAt           *time.Time  `json:"endedAt,omitempty"`
}

func (o *Overview) fields() []any {
	return []any{
		&o.ID, &o.Type, &o.BusinessKey, &o.Status, &o.Paused, &o.Steps, &o.WaitsFor, &o.NextWake,
		&o.AgeSeconds, &o.Reason, &o.DefinitionVersion, &o.Version, &o.StartedAt, &o.UpdatedAt, &o.EndedAt,
	}
}

// Story is what the database of a saga knows about it.
type Story struct {
	Overview

	Payload json.RawMessage `json:"payload"`
	Outputs json.RawMessage `json:"outputs"`
	// Waits are what it waits for, in the order of the steps; empty when it has ended.
	Waits []Waiting `json:"waits"`
	// Timeline are its latest events. Those before them are not there, see Earlier.
	Timeline []Moment `json:"timeline"`
	// Earlier is how many events came before the Timeline.
	Earlier int64 `json:"earlierEvents,omitempty"`
}

// Waiting is a line of the view saga_waits: one thing that a saga waits for.
type Waiting struct {
	// Step and what is asked of it; empty where the whole saga waits, or nobody is asked.
	Step      string         `json:"step,omitempty"`
	Operation saga.Operation `json:"operation,omitempty"`
	Attempt   int            `json:"attempt,omitempty"`
	// For is one word or two, Why says more; see the view.
	For   string     `json:"for"`
	Why   string     `json:"why,omitempty"`
	Since *time.Time `json:"since,omitempty"`
	// Until is when the orchestrator acts by itself; nil where it does not.
	Until *time.Time `json:"until,omitempty"`
}

// Moment is a line of the view saga_timeline.
type Moment struct {
	Seq int64     `json:"seq"`
	At  time.Time `json:"at"`
	// ElapsedMS is the time since the start, in milliseconds.
	ElapsedMS float64 `json:"elapsedMs"`
	Sentence  string  `json:"sentence"`
	// The rest is what the sentence is made of.
	Kind        saga.Kind        `json:"kind"`
	Step        string           `json:"step,omitempty"`
	Operation   saga.Operation   `json:"operation,omitempty"`
	Attempt     int              `json:"attempt,omitempty"`
	Outcome     saga.Outcome     `json:"outcome,omitempty"`
	Disposition saga.Disposition `json:"disposition"`
	// Detail is why it became of the event what the disposition says.
	Detail string `json:"detail"`
	// Problem is why a participant said failed or retry.
	Problem   *saga.Problem `json:"problem,omitempty"`
	Who       string        `json:"who,omitempty"`
	MessageID string        `json:"messageId,omitempty"`
}

// MaxEvents bounds how many events [Store.Show] and [Store.Timeline] return.
const MaxEvents = 10_000

// Show returns one saga with its latest events, at most so many, or [ErrNoSaga].
func (s *Store) Show(ctx context.Context, db DB, id saga.ID, events int) (Story, error) {
	var story Story
	var payload, outputs string
	err := db.QueryRow(ctx, s.query("show"), uuid.UUID(id)).Scan(append(story.fields(), &payload, &outputs)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return Story{}, fmt.Errorf("saga %s: %w", uuid.UUID(id), ErrNoSaga)
	}
	if err != nil {
		return Story{}, fmt.Errorf("show saga %s: %w", uuid.UUID(id), err)
	}
	story.Payload, story.Outputs = json.RawMessage(payload), json.RawMessage(outputs)
	rows, _ := db.Query(ctx, s.query("waits"), uuid.UUID(id))
	story.Waits, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (w Waiting, err error) {
		err = row.Scan(&w.Step, &w.Operation, &w.Attempt, &w.For, &w.Why, &w.Since, &w.Until)
		return w, err
	})
	if err != nil {
		return Story{}, fmt.Errorf("what saga %s waits for: %w", uuid.UUID(id), err)
	}
	story.Timeline, err = s.Timeline(ctx, db, id, math.MaxInt64, events)
	if err == nil && len(story.Timeline) > 0 {
		story.Earlier = story.Timeline[0].Seq - 1
	}
	return story, err
}

// Timeline returns the saga's latest events before the one of that number, at most so many,
// in order. There are none of a saga that does not exist.
func (s *Store) Timeline(ctx context.Context, db DB, id saga.ID, before int64, events int) ([]Moment, error) {
	rows, _ := db.Query(ctx, s.query("timeline"), uuid.UUID(id), min(events, MaxEvents), before)
	timeline, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Moment, err error) {
		err = row.Scan(&m.Seq, &m.At, &m.ElapsedMS, &m.Sentence, &m.Kind, &m.Step, &m.Operation, &m.Attempt, &m.Outcome,
			&m.Disposition, &m.Detail, &m.Problem, &m.Who, &m.MessageID)
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("timeline of saga %s: %w", uuid.UUID(id), err)
	}
	return timeline, nil
}
