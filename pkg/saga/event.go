package saga

import (
	"time"

	"go.example/saga/pkg/jsonmap"
)

// Event is what can happen to a running saga: [Reply], [Timer], [Signalled] or
// [Action].
type Event interface{ event() }

// Outcome is what a participant answers.
type Outcome string

const (
	// OutcomeSucceeded answers a REQUEST that took effect.
	OutcomeSucceeded Outcome = "succeeded"
	// OutcomeConfirmed answers a CONFIRM: what was reserved lasts.
	OutcomeConfirmed Outcome = "confirmed"
	// OutcomeFailed is a business no. Nothing took effect.
	OutcomeFailed Outcome = "failed"
	// OutcomeCompensated answers a CANCEL: nothing is in effect any more.
	OutcomeCompensated Outcome = "compensated"
	// OutcomeRetry is a technical error: nothing changed, ask again later.
	OutcomeRetry Outcome = "retry"
)

// Answers says whether the outcome is one that the operation can have.
func (o Outcome) Answers(op Operation) bool {
	switch o {
	case OutcomeSucceeded:
		return op == Request
	case OutcomeConfirmed:
		return op == Confirm
	case OutcomeCompensated:
		return op == Cancel
	case OutcomeFailed, OutcomeRetry:
		return op == Request || op == Confirm || op == Cancel
	}
	return false
}

// Reply is a participant's answer to the command (Step, Operation).
type Reply struct {
	Step      string
	Operation Operation
	Outcome   Outcome
	// Attempt is the attempt that is answered, 0 where the participant did not
	// echo it. Only a retry depends on it: an old one must not hasten a new attempt.
	Attempt int
	// Output is kept under the step's name when the outcome is succeeded.
	Output jsonmap.JSONMap
	// Problem is the reason when the outcome is failed or retry.
	Problem Problem
	// MessageID is the reply's message id, for the history.
	MessageID string
}

// Timer says that WakeAt may have come, and what is known of the commands that the saga
// has sent last. One that comes early changes nothing.
type Timer struct {
	// Held is why they are not all published; empty where they are, or where nobody can
	// tell.
	Held string
	// Undeliverable says that nobody tries any more to publish what they wait for.
	Undeliverable bool
	// Published is when it was first seen that they are; zero for long ago.
	Published time.Time
	// Queues are those that the commands lie in once they are published, by destination.
	// One that is not there counts as served since long ago.
	Queues map[string]Queue
}

// Queue is what is known of the consumers of a destination's commands.
type Queue struct {
	// Held is why nobody does, or why that cannot be asked; empty where somebody does, or
	// where nobody can tell.
	Held string
	// Served is since when somebody does; zero for long ago.
	Served time.Time
}

// Signalled is what somebody outside says to a signal step. One that comes before
// its step is reached is kept for it.
type Signalled struct {
	Step string
	// Refused is a no: the saga goes back.
	Refused bool
	// Output is kept under the step's name.
	Output jsonmap.JSONMap
	Reason string
	Who    string
}

// Verb is what an operator can tell a saga.
type Verb string

const (
	// RetryNow sends the waiting commands once more at once, even past their budget.
	RetryNow Verb = "retry"
	// Skip declares the waiting operation done, with Output as the step's output.
	// It needs a reason.
	Skip Verb = "skip"
	// Abort turns the saga back: everything that may have taken effect is
	// compensated. It needs a reason and is refused once a step that cannot be
	// undone may have taken effect.
	Abort Verb = "abort"
	// Kill ends the saga where it stands and compensates nothing. It needs a reason.
	Kill Verb = "kill"
	// Pause lets the saga begin nothing until it is resumed.
	Pause Verb = "pause"
	// Resume lets a paused saga go on, and a PARKED one wait again for the reply it
	// waited for.
	Resume Verb = "resume"
)

// Action is an operator's intervention.
type Action struct {
	Verb Verb
	// Step is the one that retry and skip are about; it may be empty where only one
	// is waited for.
	Step   string
	Who    string
	Reason string
	Output jsonmap.JSONMap
}

func (Reply) event()     {}
func (Timer) event()     {}
func (Signalled) event() {}
func (Action) event()    {}
