package saga

import (
	"time"

	"go.example/saga/pkg/condition"
)

// Mode is the protocol that a saga follows.
type Mode string

const (
	// Sequence is the orchestrated saga: each step takes effect when it is
	// requested and is compensated when the saga goes back. The default.
	Sequence Mode = "saga"
	// TCC is try, confirm, cancel: REQUEST reserves, and when all steps have
	// reserved, CONFIRM makes every reservation last; otherwise CANCEL lets them go
	// (Pardon and Pautasso, "Atomic distributed transactions: a RESTful design",
	// 2014).
	TCC Mode = "tcc"
)

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

// StepKind is what a step consists of.
type StepKind string

const (
	// Command steps ask a participant. The default.
	Command StepKind = "command"
	// Delay steps let time pass.
	Delay StepKind = "delay"
	// Signal steps wait for somebody outside: a person's approval, another system.
	Signal StepKind = "signal"
)

// OnTimeout is what becomes of a signal step when nobody signals in time.
type OnTimeout string

const (
	// TimeoutRefuses counts as a no: the saga goes back. The default.
	TimeoutRefuses OnTimeout = "refuse"
	// TimeoutProceeds counts as a yes without output.
	TimeoutProceeds OnTimeout = "proceed"
	// TimeoutParks leaves it to an operator.
	TimeoutParks OnTimeout = "park"
)

// Definition is the plan of one type of saga. A (Name, Version) never changes
// once it has been stored; a running saga keeps the version it started with.
type Definition struct {
	Name    string
	Version int
	Mode    Mode
	// Deadline is how long the saga may go forward. When it has passed the saga
	// goes back, unless a step that cannot be undone may have taken effect. Zero
	// means none.
	Deadline time.Duration
	// Webhooks are the names of those that are told when a saga ends, see [State.Webhooks].
	Webhooks []string
	Steps    []StepDefinition
}

// Condition is an expression over payload and outputs, see package condition.
type Condition = condition.Expression

// StepDefinition is one step.
type StepDefinition struct {
	Name string
	Kind StepKind
	Type StepType
	// Group joins steps that are next to one another: they run side by side, and
	// the saga goes on when all of them have succeeded. Empty: alone.
	Group string
	// When says whether the step is needed at all; empty: always.
	When Condition

	// Destination is the service that carries out a command step. One service may carry
	// out several steps: it goes by the step's name.
	Destination string
	// URL is where a command step is called by HTTP; then it has no Destination. Empty: it goes
	// by the broker.
	URL string
	// Request, Confirm and Cancel govern the operations of a command step apart: a
	// compensation usually deserves more patience. Confirm is for mode TCC.
	Request, Confirm, Cancel Policy
	// Send is what the participant is sent, nil for everything; see [Projection].
	Send Projection
	// Keep is what of its reply is kept as the step's output, nil for everything.
	Keep Projection

	// Wait is how long a delay lasts, and how long a signal may take.
	Wait      time.Duration
	OnTimeout OnTimeout
}

// Policy bounds the wait for the decisive reply to one operation.
type Policy struct {
	// Timeout is how long one attempt may stay unanswered.
	Timeout time.Duration
	// RetryFor is how long the command is sent again because it was answered retry:
	// the pauses after such answers add up to so much. See [Retried].
	RetryFor time.Duration
	Retry    Retry
}

// Retry is the backoff between attempts: after attempt n the next follows
// Initial·Factor^(n-1), at most Max, spread by ±Jitter.
type Retry struct {
	Initial time.Duration
	Factor  float64
	Max     time.Duration
	// Jitter is the fraction, 0 to 1, by which a delay may differ either way.
	Jitter float64
	// Attempts bounds those whose outcome may be unknown; it counts the first one too.
	// One that was answered retry does not count.
	Attempts int
}

// policy returns the rules for one operation of the step.
func (d StepDefinition) policy(op Operation) Policy {
	switch op {
	case Confirm:
		return d.Confirm
	case Cancel:
		return d.Cancel
	case Request:
	}
	return d.Request
}

// asks says whether the step is a command to a participant; others take place in
// the orchestrator alone and have nothing to undo.
func (d StepDefinition) asks() bool { return d.Kind == Command }

// stageOf is the first step of the stage that step i is in.
func (d Definition) stageOf(i int) int {
	for i > 0 && d.Steps[i].Group != "" && d.Steps[i].Group == d.Steps[i-1].Group {
		i--
	}
	return i
}

// stages are the runs of steps that go side by side, as index ranges [from, to).
func (d Definition) stages() [][2]int {
	var stages [][2]int
	for i, s := range d.Steps {
		if i > 0 && s.Group != "" && s.Group == d.Steps[i-1].Group {
			stages[len(stages)-1][1] = i + 1
			continue
		}
		stages = append(stages, [2]int{i, i + 1})
	}
	return stages
}
