package saga

import "time"

// StepType says what may happen to a step once it has taken effect. The order
// within a definition is compensatable steps, at most one pivot, retriable steps
// (Richardson, "Microservices Patterns", 4.3.1).
type StepType string

const (
	// Compensatable steps can be undone by their CANCEL. The default.
	Compensatable StepType = "compensatable"
	// Pivot is the go/no-go point: when it succeeds the saga runs to its end.
	// It has no CANCEL.
	Pivot StepType = "pivot"
	// Retriable steps follow the pivot; they are repeated until they succeed.
	Retriable StepType = "retriable"
)

// Definition is the plan of one type of saga. A (Name, Version) never changes
// once it has been stored; a running saga keeps the version it started with.
type Definition struct {
	Name    string
	Version int
	// ReplyTo is the queue in which the orchestrator waits for replies.
	ReplyTo string
	Steps   []StepDefinition
}

// StepDefinition is one step: a command to one participant.
type StepDefinition struct {
	Name string
	Type StepType
	// Destination is the routing key of the step's commands in the exchange
	// saga.commands.
	Destination string
	// Request and Cancel govern the two operations apart: a compensation
	// usually deserves more patience.
	Request Policy
	Cancel  Policy
}

// Policy bounds the wait for the reply to one operation.
type Policy struct {
	// Timeout is how long one attempt may stay unanswered.
	Timeout time.Duration
	Retry   Retry
}

// Retry is the backoff between attempts: after attempt n the next follows
// Initial·Factor^(n-1), at most Max, spread by ±Jitter.
type Retry struct {
	Initial time.Duration
	Factor  float64
	Max     time.Duration
	// Jitter is the fraction, 0 to 1, by which a delay may differ either way.
	Jitter float64
	// Attempts counts the first one too.
	Attempts int
}
