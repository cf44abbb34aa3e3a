package saga

import (
	"time"

	"go.example/saga/pkg/jsonmap"
)

// Transition is what [Step] decided. The caller stores Next and Entry and hands
// the Effects to the outbox in one database transaction.
type Transition struct {
	// Next is the state to store, over the one with Version-1.
	Next State
	// Effects are the messages to send, in order.
	Effects []Effect
	// Entry is the history row of this event.
	Entry HistoryEntry
}

// Effect is a message to send: [SendCommand] or [EmitEvent].
type Effect interface{ effect() }

// SendCommand asks a participant for an operation. Its message id is derived
// from (saga, step, operation, attempt), so that repeating the decision cannot
// mint a second command.
type SendCommand struct {
	Step        string
	Operation   Operation
	Attempt     int
	Destination string
	// URL is where to call instead, and Timeout how long the attempt may stay unanswered then.
	URL     string
	Timeout time.Duration
	// Payload and Outputs are what the step is sent, by its definition.
	Payload, Outputs jsonmap.JSONMap
}

// EventKind is what a saga tells the world.
type EventKind string

const (
	EventCompleted EventKind = "completed"
	EventAborted   EventKind = "aborted"
	EventParked    EventKind = "parked"
	EventKilled    EventKind = "killed"
)

// EmitEvent tells the world that the saga ended or was parked. The state to
// report is the Transition's Next.
type EmitEvent struct {
	Kind EventKind
	// Detail is why it was parked or killed, a sentence for people; the state says the rest.
	Detail string
	// Problem is what the participant said because of whose answer it was parked.
	Problem Problem
	// Webhooks are told too, once each.
	Webhooks []string
}

func (SendCommand) effect() {}
func (EmitEvent) effect()   {}

// Disposition is what became of an event.
type Disposition string

const (
	// Advanced: the event was waited for and moved the saga.
	Advanced Disposition = "advanced"
	// Duplicate: it repeats what is known already.
	Duplicate Disposition = "duplicate"
	// Late: it answers what is no longer waited for.
	Late Disposition = "late"
	// Quarantined: it cannot belong to this saga's past; set it aside.
	Quarantined Disposition = "quarantined"
	// Parked: it contradicts what is known, or the budget is spent; an operator
	// has to look.
	Parked Disposition = "parked"
	// Refused: an operator's action or a signal that this state does not allow.
	Refused Disposition = "refused"
)

// Kind is what a history entry is about: one of these, or an operator's verb.
type Kind string

const (
	KindStart  Kind = "start"
	KindReply  Kind = "reply"
	KindTimer  Kind = "timer"
	KindSignal Kind = "signal"
	// KindMigrate is a change to another version of the definition.
	KindMigrate Kind = "migrate"
)

// HistoryEntry is one row of a saga's history. Its sequence number is the
// Version of the Next it comes with, its time Next.UpdatedAt.
type HistoryEntry struct {
	Kind Kind
	// Step, Operation, Attempt and Outcome describe the event.
	Step      string
	Operation Operation
	Attempt   int
	Outcome   Outcome
	MessageID string
	// Disposition is what became of it, From and To the saga's status before and
	// after.
	Disposition Disposition
	From        Status
	To          Status
	// Sent are the commands that went out because of it.
	Sent []SendCommand
	// Detail is a sentence for people.
	Detail string
	// Problem is why a participant said failed or retry, in its own words.
	Problem Problem
	// Who is the operator of an action, or who signalled.
	Who string
}
