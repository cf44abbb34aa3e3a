package sagapg

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"go.example/saga/pkg/saga"
)

// historyRow is a row of the table saga_history on its way in.
type historyRow struct {
	SagaID      uuid.UUID        `json:"saga_id"`
	Seq         int64            `json:"seq"`
	At          time.Time        `json:"at"`
	Kind        saga.Kind        `json:"kind"`
	Step        string           `json:"step,omitempty"`
	Operation   saga.Operation   `json:"operation,omitempty"`
	Attempt     int              `json:"attempt,omitempty"`
	Outcome     saga.Outcome     `json:"outcome,omitempty"`
	Disposition saga.Disposition `json:"disposition"`
	FromStatus  saga.Status      `json:"from_status,omitempty"`
	ToStatus    saga.Status      `json:"to_status"`
	Sent        []string         `json:"sent"`
	Detail      string           `json:"detail"`
	Problem     saga.Problem     `json:"problem,omitzero"`
	Who         string           `json:"who,omitempty"`
	MessageID   string           `json:"message_id,omitempty"`
}

func toHistoryRow(t saga.Transition) historyRow {
	e := t.Entry
	return historyRow{
		SagaID: uuid.UUID(t.Next.ID), Seq: t.Next.Version, At: stamp(t.Next.UpdatedAt),
		Kind: e.Kind, Step: e.Step, Operation: e.Operation, Attempt: e.Attempt, Outcome: e.Outcome,
		Disposition: e.Disposition, FromStatus: e.From, ToStatus: e.To,
		Sent: sent(e), Detail: e.Detail, Problem: e.Problem, Who: e.Who, MessageID: e.MessageID,
	}
}

// sent are the commands that the event set off, as the column holds them.
func sent(e saga.HistoryEntry) []string {
	texts := make([]string, len(e.Sent))
	for i, c := range e.Sent {
		texts[i] = fmt.Sprintf("%s %s #%d", c.Operation, c.Step, c.Attempt)
	}
	return texts
}
