package sagapg

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
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
	Waiting           map[string]waiting         `json:"waiting"` // without the times
	Payload           json.RawMessage            `json:"payload"`
	Outputs           jsonmap.JSONMap            `json:"outputs"`
	Failure           *failure                   `json:"failure,omitempty"`
	BusinessKey       string                     `json:"business_key,omitempty"`
	DeadlineIn        *float64                   `json:"deadline_in,omitempty"`
	WakeIn            *float64                   `json:"wake_in,omitempty"`
	Ended             bool                       `json:"ended"`
}

// startParameters are the first ones of start.sql: those of saga and history.
func startParameters(t saga.Transition, payload []byte, hash string) ([]any, error) {
	s := t.Next
	waits, current := toWaiting(s)
	var timed, seconds []string
	for step, w := range waits {
		if at := in(w.WakeAt); at != nil {
			timed, seconds = append(timed, step), append(seconds, strconv.FormatFloat(*at, 'f', -1, 64))
		}
		w.WakeAt = time.Time{}
		waits[step] = w
	}
	row, err := json.Marshal(startRow{
		ID: uuid.UUID(s.ID), Type: s.Type, DefinitionVersion: s.DefinitionVersion, Status: s.Status,
		CurrentStep: strings.Join(current, ", "), StepStatus: stepStatus(s), Waiting: waits,
		Payload: payload, Outputs: object(s.Outputs), Failure: toFailure(s.Failure), BusinessKey: s.BusinessKey,
		DeadlineIn: in(s.Deadline), WakeIn: in(s.WakeAt()), Ended: !s.EndedAt.IsZero(),
	})
	if err != nil {
		return nil, fmt.Errorf("encode the saga: %w", err)
	}
	return []any{
		string(row), hash, outbox.TextArray(timed...), outbox.TextArray(seconds...),
		string(t.Entry.Disposition), outbox.TextArray(sent(t.Entry)...), t.Entry.Detail,
	}, nil
}

// in is how many seconds after the start a time is; nil for none.
func in(t time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	seconds := t.Sub(startedAt).Seconds()
	return &seconds
}
