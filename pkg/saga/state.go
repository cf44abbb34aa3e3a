package saga

import (
	"time"

	"go.example/saga/pkg/jsonmap"
)

// ID identifies a saga: a UUID, version 7 where this project draws it.
type ID [16]byte

// Status is where a saga stands.
type Status string

const (
	// StatusStarted sagas go forward.
	StatusStarted Status = "STARTED"
	// StatusCompleted is terminal: every step that was needed took effect.
	StatusCompleted Status = "COMPLETED"
	// StatusAborting sagas go backward, compensating.
	StatusAborting Status = "ABORTING"
	// StatusAborted is terminal: no step is in effect.
	StatusAborted Status = "ABORTED"
	// StatusParked sagas wait for an operator, because no rule says what to do.
	StatusParked Status = "PARKED"
	// StatusKilled is terminal: an operator ended the saga where it stood.
	StatusKilled Status = "KILLED"
)

// Terminal says whether the status is an end: nothing leaves it.
func (s Status) Terminal() bool {
	return s == StatusCompleted || s == StatusAborted || s == StatusKilled
}

// StepStatus is where a step stands. The zero value means never begun.
type StepStatus string

const (
	StepPending   StepStatus = ""
	StepStarted   StepStatus = "STARTED"
	StepSucceeded StepStatus = "SUCCEEDED"
	StepFailed    StepStatus = "FAILED"
	// StepConfirming and StepConfirmed are of mode TCC.
	StepConfirming   StepStatus = "CONFIRMING"
	StepConfirmed    StepStatus = "CONFIRMED"
	StepCompensating StepStatus = "COMPENSATING"
	StepCompensated  StepStatus = "COMPENSATED"
	// StepSkipped is a step that an operator declared done.
	StepSkipped StepStatus = "SKIPPED"
	// StepOmitted is a step whose condition did not hold.
	StepOmitted StepStatus = "OMITTED"
)

// Operation is what a command asks of a participant.
type Operation string

const (
	Request Operation = "REQUEST"
	Confirm Operation = "CONFIRM"
	Cancel  Operation = "CANCEL"
)

// StepState is one step's place in a State.
type StepState struct {
	Name   string
	Status StepStatus
	// Attempt counts the sends of the operation under way; 0 when none is, or
	// where nothing is sent.
	Attempt int
	// WakeAt is when a Timer acts on the step; zero where it is not timed.
	WakeAt time.Time
	// Park is why an operator has to look at the step, else empty.
	Park ParkReason
	// Retried counts the answers retry to the operation under way.
	Retried Retried
	// Held is why the attempt's time does not run: its command has not been published, or
	// nobody takes it from its queue. Empty where it runs, as far as is known.
	Held Held
}

// Held is what keeps a command from its participant, and since when that is known.
type Held struct {
	Reason string
	Since  time.Time
}

// Retried is what answers retry have cost so far. It counts what was waited because of
// them and not the time since the first one: while the orchestrator is away or the saga
// paused, no participant is asked.
type Retried struct {
	// Times is how many attempts were answered so.
	Times int
	// For is what the pauses after them add up to.
	For time.Duration
	// Attempt is the last one that was answered, with retry or with a refusal of what may
	// not be refused. It is the one under way until the command is sent again.
	Attempt int
}

// Operation is the one under way, empty when none is.
func (s StepState) Operation() Operation {
	switch s.Status {
	case StepStarted:
		return Request
	case StepConfirming:
		return Confirm
	case StepCompensating:
		return Cancel
	case StepPending, StepSucceeded, StepFailed, StepConfirmed, StepCompensated, StepSkipped, StepOmitted:
	}
	return ""
}

// State is everything that is kept about one saga. It is a value: [Step] never
// changes the State that it is given, and the maps in it are never written to.
type State struct {
	ID                ID
	Type              string
	DefinitionVersion int
	// Webhooks are the names of those outside who are told when it ends, besides those of its
	// definition. Empty is none.
	Webhooks []string
	// BusinessKey makes starting idempotent: unique with Type. Empty means none.
	BusinessKey string
	Status      Status
	// Paused sagas take what comes and begin nothing. Only running ones are paused.
	Paused bool
	// Steps holds every step of the definition, in its order.
	Steps []StepState
	// Payload is what the saga was started with; it never changes.
	Payload jsonmap.JSONMap
	// Outputs holds what the steps' replies brought, by step name.
	Outputs jsonmap.JSONMap
	// Signals holds those that came before their step was reached, by step name.
	Signals map[string]Signalled
	// Failure is why the saga goes back, nil while it goes forward.
	Failure *Failure
	// Version counts the history entries: 1 when started, +1 with each event.
	Version int64
	// Deadline is when the saga turns back; zero where it does not.
	Deadline  time.Time
	StartedAt time.Time
	UpdatedAt time.Time
	// EndedAt is zero until the state is terminal.
	EndedAt time.Time
}

// WakeAt is when a Timer is due; zero where nothing is timed, which is so while the
// saga is PARKED, paused or over.
func (s State) WakeAt() time.Time {
	if s.Status.Terminal() || s.Status == StatusParked || s.Paused {
		return time.Time{}
	}
	wake := s.Deadline
	for _, step := range s.Steps {
		if !step.WakeAt.IsZero() && (wake.IsZero() || step.WakeAt.Before(wake)) {
			wake = step.WakeAt
		}
	}
	return wake
}

// ParkReason is the first step's that is parked; empty when none is.
func (s State) ParkReason() ParkReason {
	for _, step := range s.Steps {
		if step.Park != "" {
			return step.Park
		}
	}
	return ""
}

// ParkReason says why a saga waits for an operator.
type ParkReason string

const (
	// ParkExhausted: the attempts are spent without a decisive reply.
	ParkExhausted ParkReason = "attempts spent"
	// ParkRefused: the attempts are spent, the participant keeps saying no to what
	// may not be refused (a confirmation, a compensation, a step after the pivot).
	ParkRefused ParkReason = "refused"
	// ParkUnavailable: the participant kept answering retry for as long as the policy
	// grants.
	ParkUnavailable ParkReason = "unavailable"
	// ParkUndeliverable: the command cannot be published, and nobody tries any more.
	ParkUndeliverable ParkReason = "undeliverable"
	// ParkContradiction: two replies to one operation cannot both be true.
	ParkContradiction ParkReason = "contradictory replies"
	// ParkUnsignalled: nobody signalled in time, and the definition says to park.
	ParkUnsignalled ParkReason = "not signalled"
	// ParkCondition: the step's condition cannot be evaluated and there is no way back,
	// or it cannot be decided exactly ([condition.ErrInexact]).
	ParkCondition ParkReason = "condition failed"
)

// FailureClass says what kind of thing turned a saga back.
type FailureClass string

const (
	// FailureRefused: the participant, or who was to signal, said no.
	FailureRefused FailureClass = "refused"
	// FailureUnknown: no reply within the policy; the step may have taken effect.
	FailureUnknown FailureClass = "unknown"
	// FailureUnavailable: the participant kept answering retry for as long as the policy
	// grants. What an earlier attempt has done may be unknown.
	FailureUnavailable FailureClass = "unavailable"
	// FailureUnsignalled: nobody signalled in time.
	FailureUnsignalled FailureClass = "unsignalled"
	// FailureCondition: the step's condition cannot be evaluated.
	FailureCondition FailureClass = "condition"
	// FailureDeadline: the saga's deadline has passed.
	FailureDeadline FailureClass = "deadline"
	// FailureAborted: an operator aborted the saga.
	FailureAborted FailureClass = "aborted"
)

// Failure is the reason of an abort. Problem is the participant's own words.
type Failure struct {
	Step    string
	Class   FailureClass
	Problem Problem
}

// Problem is why a participant says failed or retry, as it states it (RFC 9457).
type Problem struct {
	Type   string `json:"type,omitempty"`
	Title  string `json:"title,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// String words the problem for people.
func (p Problem) String() string {
	words := p.Title
	for _, more := range []string{p.Detail, p.Type} {
		switch {
		case more == "" || more == p.Title || more == "about:blank":
		case words == "":
			words = more
		default:
			words += " (" + more + ")"
		}
	}
	return words
}
