package sagapg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/saga"
)

// ErrNoSaga means that there is no saga of this id.
var ErrNoSaga = errors.New("no such saga")

// Overview is a line of the view saga_overview. Fields that are null there are
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

// Story is all that is known about one saga.
type Story struct {
	Overview

	Payload  json.RawMessage `json:"payload"`
	Outputs  json.RawMessage `json:"outputs"`
	Timeline []Moment        `json:"timeline"`
}

// Moment is a line of the view saga_timeline.
type Moment struct {
	Seq int64     `json:"seq"`
	At  time.Time `json:"at"`
	// ElapsedMS is the time since the start, in milliseconds.
	ElapsedMS float64 `json:"elapsedMs"`
	Sentence  string  `json:"sentence"`
	MessageID string  `json:"messageId,omitempty"`
}

// Show returns one saga with its history, or [ErrNoSaga].
func (s *Store) Show(ctx context.Context, db DB, id saga.ID) (Story, error) {
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
	rows, _ := db.Query(ctx, s.query("timeline"), uuid.UUID(id))
	story.Timeline, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Moment, err error) {
		err = row.Scan(&m.Seq, &m.At, &m.ElapsedMS, &m.Sentence, &m.MessageID)
		return m, err
	})
	if err != nil {
		return Story{}, fmt.Errorf("timeline of saga %s: %w", uuid.UUID(id), err)
	}
	return story, nil
}
