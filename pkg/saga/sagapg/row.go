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
	// Sends says that messages go out with it.
	Sends bool `json:"sends,omitempty"`
	// OverVersion is the version that an update replaces.
	OverVersion int64 `json:"over_version,omitempty"`
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
		StepStatus: stepStatus(s),
		Outputs:    object(s.Outputs), Signals: toSignals(s.Signals), ParkReason: s.ParkReason(), Version: s.Version,
		Deadline: optional(s.Deadline), WakeAt: optional(s.WakeAt()),
		UpdatedAt: stamp(s.UpdatedAt), EndedAt: optional(s.EndedAt),
	}
	var current []string
	row.Waiting, current = toWaiting(s)
	row.CurrentStep = strings.Join(current, ", ")
	row.Failure = toFailure(s.Failure)
	return row
}

// stepStatus leaves out a step that was never begun: the column stays short and reads as
// what happened.
func stepStatus(s saga.State) map[string]saga.StepStatus {
	status := make(map[string]saga.StepStatus, len(s.Steps))
	for _, step := range s.Steps {
		if step.Status != saga.StepPending {
			status[step.Name] = step.Status
		}
	}
	return status
}

func toFailure(f *saga.Failure) *failure {
	if f == nil {
		return nil
	}
	return &failure{Step: f.Step, Class: f.Class, Problem: f.Problem}
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
