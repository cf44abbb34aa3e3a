package desk

import "time"

// Message is what the rules have to know of a message.
type Message struct {
	ID        int64  // of its row in the log
	Aggregate string // whose order it keeps
	To        Destination
	Size      int64 // bytes that it takes while it is in work
	// Scheduled: it is not due when the log comes to it.
	Scheduled bool
	// Called: it is carried by a call to its receiver, not by the broker, see [Desk.NextCall].
	Called    bool
	CreatedAt time.Time
}

// Destination is where messages go to.
type Destination struct{ Exchange, RoutingKey string }

// State is why a message is set aside.
type State string

// The states of a parked message.
const (
	// Scheduled: due at its time, in nobody's way.
	Scheduled State = "scheduled"
	// Retry: refused, will be tried again.
	Retry State = "retry"
	// Calling: carried by a call that is not answered yet, in nobody's way.
	Calling State = "http"
	// CallDead: not called any more until an operator says so, in nobody's way.
	CallDead State = "http_dead"
	// Waiting: behind an earlier message of its aggregate.
	Waiting State = "waiting"
	// Dead: not tried any more until an operator says so.
	Dead State = "dead"
	// Discarded: an operator gave the message up. It is kept for as long as its row.
	Discarded State = "discarded"
)

// Classes of what cannot be published, as the table outbox_parked knows them.
const (
	Unroutable = "unroutable"
	Nacked     = "nacked"
	Invalid    = "invalid"
	Fatal      = "fatal"
	// Unreadable is no verdict of the broker: the row holds no message.
	Unreadable = "unreadable"
)

// Classes of calls that brought no answer.
const (
	// Refused: the target must not be called.
	Refused = "refused"
	// Unreachable: the receiver cannot be reached, or says that it takes nothing now.
	Unreachable = "unreachable"
	// Unanswered: the receiver has had the message, and whether it acted on it is unknown.
	Unanswered = "unanswered"
)

// Parking sets one message aside.
type Parking[R any] struct {
	Record R
	State  State
	// Reason is the class of the last failure; empty before the first. Error is the
	// failure in words.
	Reason, Error string
	// Attempts counts the failures.
	Attempts int
	// Delay is the time until a Retry, or the next call.
	Delay time.Duration
	// Accepted: the receiver has had the whole message, and may have acted on it.
	Accepted bool
}

// Due is a parked message whose time has come.
type Due[R any] struct {
	Record   R
	State    State
	Reason   string
	Attempts int
	// Age is how long it has been parked, or since an operator asked to retry it.
	Age time.Duration
	// Accepted is for how long its receiver has had it; negative where it has not.
	Accepted time.Duration
}

// Entry is a message in work.
type Entry[R, P any] struct {
	Message
	Record R
	empty  bool // a stretch of the log without a message
	// after is the place in the log behind it; unused for a parked message.
	after P
	// due is what is known of a parked message; nil for one of the log.
	due *Due[R]
	// parking is how it is set aside; nil where it is not.
	parking *Parking[R]
	// turn is when it came to the desk, and place where it stands among those that are
	// ready, -1 where it does not.
	turn  int64
	place int
	// behind is the next one of its aggregate.
	behind *Entry[R, P]
	sent   bool
	done   bool // confirmed or parked: the position may pass it
	passed bool // the position has passed it
	// answer is what is published in place of a called message.
	answer   R
	answered bool
}

// Outgoing is what is to be published: the message, or the answer to its call.
func (e *Entry[R, P]) Outgoing() R {
	if e.answered {
		return e.answer
	}
	return e.Record
}

// WasParked says that it comes from the parked messages and not from the log.
func (e *Entry[R, P]) WasParked() bool { return e.due != nil }

// Reason is the class of its last failure; empty before the first.
func (e *Entry[R, P]) Reason() string {
	if e.due == nil {
		return ""
	}
	return e.due.Reason
}

// Parking is how it is set aside, where it is in [Written.Parked].
func (e *Entry[R, P]) Parking() Parking[R] { return *e.parking }

// Accepted is for how long its receiver has had it; negative where it has not.
func (e *Entry[R, P]) Accepted() time.Duration {
	if e.due == nil {
		return -1
	}
	return e.due.Accepted
}

// Attempts are those that failed.
func (e *Entry[R, P]) Attempts() int {
	if e.due == nil {
		return 0
	}
	return e.due.Attempts
}

// age is for how long it has been refused.
func (e *Entry[R, P]) age() time.Duration {
	if e.due == nil || e.due.Attempts == 0 {
		return 0
	}
	return e.due.Age
}
