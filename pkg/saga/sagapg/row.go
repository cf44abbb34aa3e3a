package sagapg

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// sagaRow is a row of the table saga on its way in, as JSON: one parameter holds
// any number of them, and every driver can send it. What is missing is NULL.
type sagaRow struct {
	ID                uuid.UUID                  `json:"id"`
	DefinitionVersion int                        `json:"definition_version"`
	Status            saga.Status                `json:"status"`
	Paused            bool                       `json:"paused"`
	CurrentStep       string                     `json:"current_step,omitempty"`
	StepStatus        map[string]saga.StepStatus `json:"step_status"`
	Waiting           map[string]waiting         `json:"waiting"`
	Outputs           jsonmap.JSONMap            `json:"outputs"`
	Signals           map[string]signal          `json:"signals,omitempty"`
	Failure           *failure                   `json:"failure,omitempty"`
	ParkReason        saga.ParkReason            `json:"park_reason,omitempty"`
	Version           int64                      `json:"version"`
	Deadline          *time.Time                 `json:"deadline,omitempty"`
	WakeAt            *time.Time                 `json:"wake_at,omitempty"`
	UpdatedAt         time.Time                  `json:"updated_at"`
	EndedAt           *time.Time                 `json:"ended_at,omitempty"`
	// OverVersion is the version that an update replaces.
	OverVersion int64 `json:"over_version,omitempty"`
}

// newSagaRow adds what is written once.
type newSagaRow struct {
	sagaRow

	Type        string          `json:"type"`
	Payload     jsonmap.JSONMap `json:"payload"`
	BusinessKey string          `json:"business_key,omitempty"`
	StartedAt   time.Time       `json:"started_at"`
}

// failure is saga.Failure as the column holds it.
type failure struct {
	Step    string            `json:"step,omitempty"`
	Class   saga.FailureClass `json:"class"`
	Problem saga.Problem      `json:"problem"`
}

func toSagaRow(s saga.State) sagaRow {
	row := sagaRow{
		ID: uuid.UUID(s.ID), DefinitionVersion: s.DefinitionVersion, Status: s.Status, Paused: s.Paused,
		StepStatus: make(map[string]saga.StepStatus, len(s.Steps)),
		Outputs:    object(s.Outputs), Signals: toSignals(s.Signals), ParkReason: s.ParkReason(), Version: s.Version,
		Deadline: optional(s.Deadline), WakeAt: optional(s.WakeAt()),
		UpdatedAt: stamp(s.UpdatedAt), EndedAt: optional(s.EndedAt),
	}
	for _, step := range s.Steps {
		// A step that was never begun is not written down: the column stays short and reads as what happened.
		if step.Status != saga.StepPending {
			row.StepStatus[step.Name] = step.Status
		}
	}
	var current []string
	row.Waiting, current = toWaiting(s)
	row.CurrentStep = strings.Join(current, ", ")
	if f := s.Failure; f != nil {
		row.Failure = &failure{Step: f.Step, Class: f.Class, Problem: f.Problem}
	}
	return row
}

func toNewSagaRow(s saga.State) newSagaRow {
	return newSagaRow{
		sagaRow: toSagaRow(s),
		Type:    s.Type, Payload: object(s.Payload),
		BusinessKey: s.BusinessKey, StartedAt: stamp(s.StartedAt),
	}
}

// object makes an absent object an empty one, as the NOT NULL columns want it.
func object(m jsonmap.JSONMap) jsonmap.JSONMap {
	if m == nil {
		return jsonmap.JSONMap{}
	}
	return m
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	at := stamp(t)
	return &at
}

// stamp is the time as a column holds it. A time inside jsonb is rounded too, so that
// the same one is the same in both.
func stamp(t time.Time) time.Time { return t.UTC().Round(time.Microsecond) }
