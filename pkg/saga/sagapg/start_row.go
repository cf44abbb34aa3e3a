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

// startRow is a new saga with its first history row on its way in, as JSON. What is
// missing is NULL.
type startRow struct {
	ID          uuid.UUID                  `json:"id"`
	Status      saga.Status                `json:"status"`
	CurrentStep string                     `json:"current_step,omitempty"`
	StepStatus  map[string]saga.StepStatus `json:"step_status"`
	Waiting     map[string]startWaiting    `json:"waiting"`
	Payload     jsonmap.JSONMap            `json:"payload"`
	Outputs     jsonmap.JSONMap            `json:"outputs"`
	Failure     *failure                   `json:"failure,omitempty"`
	BusinessKey string                     `json:"business_key,omitempty"`
	Webhooks    []string                   `json:"webhooks,omitempty"`
	DeadlineIn  *float64                   `json:"deadline_in,omitempty"`
	WakeIn      *float64                   `json:"wake_in,omitempty"`
	Ended       bool                       `json:"ended"`
	Disposition saga.Disposition           `json:"disposition"`
	Sent        []string                   `json:"sent"`
	Detail      string                     `json:"detail"`
}

// startWaiting is [waiting] with the seconds until the time in its place.
type startWaiting struct {
	Operation saga.Operation  `json:"operation,omitempty"`
	Attempt   int             `json:"attempt,omitempty"`
	Park      saga.ParkReason `json:"park,omitempty"`
	WakeIn    *float64        `json:"wake_in,omitempty"`
}

func toStartRow(t saga.Transition) startRow {
	s := t.Next
	waits, current := toWaiting(s)
	waiting := make(map[string]startWaiting, len(waits))
	for step, w := range waits {
		waiting[step] = startWaiting{Operation: w.Operation, Attempt: w.Attempt, Park: w.Park, WakeIn: in(w.WakeAt)}
	}
	return startRow{
		ID: uuid.UUID(s.ID), Status: s.Status, CurrentStep: strings.Join(current, ", "), StepStatus: stepStatus(s),
		Waiting: waiting, Payload: object(s.Payload), Outputs: object(s.Outputs), Failure: toFailure(s.Failure),
		BusinessKey: s.BusinessKey, Webhooks: s.Webhooks, DeadlineIn: in(s.Deadline), WakeIn: in(s.WakeAt()), Ended: !s.EndedAt.IsZero(),
		Disposition: t.Entry.Disposition, Sent: sent(t.Entry), Detail: t.Entry.Detail,
	}
}

// in is how many seconds after the start a time is; nil for none.
func in(t time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	seconds := t.Sub(startedAt).Seconds()
	return &seconds
}
