package sagapg

import (
	"time"

	"github.com/google/uuid"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// sagaRow is a row of the table saga on its way in, as JSON: one parameter holds
// any number of them, and every driver can send it. What is missing is NULL.
type sagaRow struct {
	ID          uuid.UUID                  `json:"id"`
	Status      saga.Status                `json:"status"`
	CurrentStep string                     `json:"current_step,omitempty"`
	Operation   saga.Operation             `json:"operation,omitempty"`
	Attempt     int                        `json:"attempt,omitempty"`
	StepStatus  map[string]saga.StepStatus `json:"step_status"`
	Outputs     jsonmap.JSONMap            `json:"outputs"`
	Failure     *failure                   `json:"failure,omitempty"`
	ParkReason  saga.ParkReason            `json:"park_reason,omitempty"`
	Version     int64                      `json:"version"`
	WakeAt      *time.Time                 `json:"wake_at,omitempty"`
	UpdatedAt   time.Time                  `json:"updated_at"`
	EndedAt     *time.Time                 `json:"ended_at,omitempty"`
	// OverVersion is the version that an update replaces.
	OverVersion int64 `json:"over_version,omitempty"`
}

// newSagaRow adds what is written once.
type newSagaRow struct {
	sagaRow

	Type              string          `json:"type"`
	DefinitionVersion int             `json:"definition_version"`
	Payload           jsonmap.JSONMap `json:"payload"`
	BusinessKey       string          `json:"business_key,omitempty"`
	StartedAt         time.Time       `json:"started_at"`
}

// failure is saga.Failure as the column holds it.
type failure struct {
	Step    string            `json:"step,omitempty"`
	Class   saga.FailureClass `json:"class"`
	Problem saga.Problem      `json:"problem"`
}

// historyRow is a row of the table saga_history on its way in.
type historyRow struct {
	SagaID        uuid.UUID        `json:"saga_id"`
	Seq           int64            `json:"seq"`
	At            time.Time        `json:"at"`
	Kind          saga.Kind        `json:"kind"`
	Step          string           `json:"step,omitempty"`
	Operation     saga.Operation   `json:"operation,omitempty"`
	Attempt       int              `json:"attempt,omitempty"`
	Outcome       saga.Outcome     `json:"outcome,omitempty"`
	Disposition   saga.Disposition `json:"disposition"`
	FromStatus    saga.Status      `json:"from_status,omitempty"`
	ToStatus      saga.Status      `json:"to_status"`
	SentStep      string           `json:"sent_step,omitempty"`
	SentOperation saga.Operation   `json:"sent_operation,omitempty"`
	SentAttempt   int              `json:"sent_attempt,omitempty"`
	Detail        string           `json:"detail"`
	Who           string           `json:"who,omitempty"`
	MessageID     string           `json:"message_id,omitempty"`
}

func toSagaRow(s saga.State) sagaRow {
	row := sagaRow{
		ID: uuid.UUID(s.ID), Status: s.Status, CurrentStep: s.CurrentStep, Operation: s.Operation, Attempt: s.Attempt,
		StepStatus: make(map[string]saga.StepStatus, len(s.Steps)),
		Outputs:    object(s.Outputs), ParkReason: s.ParkReason, Version: s.Version,
		WakeAt: optional(s.WakeAt), UpdatedAt: s.UpdatedAt.UTC(), EndedAt: optional(s.EndedAt),
	}
	for _, step := range s.Steps {
		// A step that was never sent is not written down: the column stays short and reads as what happened.
		if step.Status != saga.StepPending {
			row.StepStatus[step.Name] = step.Status
		}
	}
	if f := s.Failure; f != nil {
		row.Failure = &failure{Step: f.Step, Class: f.Class, Problem: f.Problem}
	}
	return row
}

func toNewSagaRow(s saga.State) newSagaRow {
	return newSagaRow{
		sagaRow: toSagaRow(s),
		Type:    s.Type, DefinitionVersion: s.DefinitionVersion, Payload: object(s.Payload),
		BusinessKey: s.BusinessKey, StartedAt: s.StartedAt.UTC(),
	}
}

func toHistoryRow(t saga.Transition) historyRow {
	e := t.Entry
	row := historyRow{
		SagaID: uuid.UUID(t.Next.ID), Seq: t.Next.Version, At: t.Next.UpdatedAt.UTC(),
		Kind: e.Kind, Step: e.Step, Operation: e.Operation, Attempt: e.Attempt, Outcome: e.Outcome,
		Disposition: e.Disposition, FromStatus: e.From, ToStatus: e.To,
		Detail: e.Detail, Who: e.Who, MessageID: e.MessageID,
	}
	if sent := e.Sent; sent != nil {
		row.SentStep, row.SentOperation, row.SentAttempt = sent.Step, sent.Operation, sent.Attempt
	}
	return row
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
	utc := t.UTC()
	return &utc
}
