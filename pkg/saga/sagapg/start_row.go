package sagapg

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// startedAt is when every saga is started, as far as the core knows: what it decides at
// a start depends on no date. Its times are written down as seconds after the start, and
// become times by the database's clock in the statement that stores them.
var startedAt = time.Unix(0, 0)

// startRow is a new row of the table saga on its way in, as JSON. What is missing is NULL.
type startRow struct {
	ID                uuid.UUID                  `json:"id"`
	Type              string                     `json:"type"`
	DefinitionVersion int                        `json:"definition_version"`
	Status            saga.Status                `json:"status"`
	CurrentStep       string                     `json:"current_step,omitempty"`
	StepStatus        map[string]saga.StepStatus `json:"step_status"`
	Waiting           map[string]startWaiting    `json:"waiting"`
	Payload           jsonmap.JSONMap            `json:"payload"`
	Outputs           jsonmap.JSONMap            `json:"outputs"`
	Failure           *failure                   `json:"failure,omitempty"`
	BusinessKey       string                     `json:"business_key,omitempty"`
	Version           int64                      `json:"version"`
	DeadlineIn        *float64                   `json:"deadline_in,omitempty"`
	WakeIn            *float64                   `json:"wake_in,omitempty"`
	Ended             bool                       `json:"ended"`
}

// startWaiting is [waiting] without the time, and the seconds until then.
type startWaiting struct {
	Waiting waiting  `json:"waiting"`
	WakeIn  *float64 `json:"wake_in,omitempty"`
}

func toStartRow(s saga.State) startRow {
	row := startRow{
		ID: uuid.UUID(s.ID), Type: s.Type, DefinitionVersion: s.DefinitionVersion, Status: s.Status,
		StepStatus: stepStatus(s), Waiting: map[string]startWaiting{},
		Payload: object(s.Payload), Outputs: object(s.Outputs), BusinessKey: s.BusinessKey, Version: s.Version,
		DeadlineIn: in(s.Deadline), WakeIn: in(s.WakeAt()), Ended: !s.EndedAt.IsZero(), Failure: toFailure(s.Failure),
	}
	waits, current := toWaiting(s)
	for step, w := range waits {
		at := in(w.WakeAt)
		w.WakeAt = time.Time{}
		row.Waiting[step] = startWaiting{Waiting: w, WakeIn: at}
	}
	row.CurrentStep = strings.Join(current, ", ")
	return row
}

// in is how many seconds after the start a time is; nil for none.
func in(t time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	seconds := t.Sub(startedAt).Seconds()
	return &seconds
}
