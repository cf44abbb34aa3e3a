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
	// StatusCompleted is terminal: every step took effect.
	StatusCompleted Status = "COMPLETED"
	// StatusAborting sagas go backward, compensating.
	StatusAborting Status = "ABORTING"
	// StatusAborted is terminal: no step is in effect.
	StatusAborted Status = "ABORTED"
	// StatusParked sagas wait for an operator, because no rule says what to do.
	StatusParked Status = "PARKED"
)

// StepStatus is where a step stands. The zero value means never sent.
type StepStatus string

const (
	StepPending      StepStatus = ""
	StepStarted      StepStatus = "STARTED"
	StepSucceeded    StepStatus = "SUCCEEDED"
	StepFailed       StepStatus = "FAILED"
	StepCompensating StepStatus = "COMPENSATING"
	StepCompensated  StepStatus = "COMPENSATED"
	// StepSkipped is a step that an operator declared done.
	StepSkipped StepStatus = "SKIPPED"
)

// Operation is what a command asks of a participant.
type Operation string

const (
	Request Operation = "REQUEST"
	Cancel  Operation = "CANCEL"
)

// StepState is one step's place in a State.
type StepState struct {
	Name   string
	Status StepStatus
}

// State is everything that is kept about one saga. It is a value: [Step] never
// changes the State that it is given, and the maps in it are never written to.
type State struct {
	ID                ID
	Type              string
	DefinitionVersion int
	// BusinessKey makes starting idempotent: unique with Type. Empty means none.
	BusinessKey string
	Status      Status
	// CurrentStep and Operation are the command that waits for its reply, or,
	// when PARKED, the one that waited last. Empty in a terminal state.
	CurrentStep string
	Operation   Operation
	// Attempt counts the sends of that command, 1 being the first.
	Attempt int
	// Steps holds every step of the definition, in its order.
	Steps []StepState
	// Payload is what the saga was started with; it never changes.
	Payload jsonmap.JSONMap
	// Outputs holds what the steps' replies brought, by step name.
	Outputs jsonmap.JSONMap
	// Failure is why the saga goes back, nil while it goes forward.
	Failure *Failure
	// ParkReason is why the saga is PARKED, else empty.
	ParkReason ParkReason
	// Version counts the history entries: 1 when started, +1 with each event.
	Version int64
	// WakeAt is when a Timer is due; zero where nothing is timed.
	WakeAt    time.Time
	StartedAt time.Time
	UpdatedAt time.Time
	// EndedAt is zero until the state is terminal.
	EndedAt time.Time
}

// ParkReason says why a saga waits for an operator.
type ParkReason string

const (
	// ParkExhausted: the attempts are spent without a decisive reply.
	ParkExhausted ParkReason = "attempts spent"
	// ParkRefused: the attempts are spent, the participant keeps saying no to what
	// may not be refused (a compensation, or a step after the pivot).
	ParkRefused ParkReason = "refused"
	// ParkContradiction: two replies to one operation cannot both be true.
	ParkContradiction ParkReason = "contradictory replies"
)

// FailureClass says what kind of thing turned a saga back.
type FailureClass string

const (
	// FailureRefused: the participant said no.
	FailureRefused FailureClass = "refused"
	// FailureUnknown: no reply within the policy; the step may have taken effect.
	FailureUnknown FailureClass = "unknown"
	// FailureAborted: an operator aborted the saga.
	FailureAborted FailureClass = "aborted"
)

// Failure is the reason of an abort. Problem is the participant's own words.
type Failure struct {
	Step    string
	Class   FailureClass
	Problem Problem
}

// Problem is a business refusal as the participant states it (RFC 9457).
type Problem struct {
	Type   string `json:"type,omitempty"`
	Title  string `json:"title,omitempty"`
	Detail string `json:"detail,omitempty"`
}
