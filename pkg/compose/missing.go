package compose

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// Why says in one word why a part is missing. It is for clients and says nothing of what
// stands behind the service.
type Why string

const (
	// Timeout: it did not come before the deadline.
	Timeout Why = "timeout"
	// Unreachable: the service that has it could not be reached.
	Unreachable Why = "unreachable"
	// NotFound: the service answers that it has none.
	NotFound Why = "not-found"
	// Status: the service answers with another status than 200, see [Missing.Status].
	Status Why = "status"
	// Incomplete: the answer broke off.
	Incomplete Why = "incomplete"
	// TooLarge: the answer is larger than is taken.
	TooLarge Why = "too-large"
	// Invalid: the answer is no JSON, or none that can be passed on.
	Invalid Why = "invalid"
	// Failed: anything else.
	Failed Why = "failed"
)

// Missing is a part that was asked for and did not come.
type Missing struct {
	Part   string `json:"part" doc:"Its name."`
	Why    Why    `json:"why" enum:"timeout,unreachable,not-found,status,incomplete,too-large,invalid,failed" doc:"Why it did not come. not-found: the service that would have it says that there is none."`
	Status int    `json:"status,omitempty" doc:"The HTTP status that came in its place, where why is status."`
	// Err is the whole truth, for a log and not for clients.
	Err error `json:"-"`
}

// Error is why a source has no part to give. Sources of your own return one where they know
// better than [Failed], as &compose.Error{Why: compose.NotFound}.
type Error struct {
	Why    Why
	Status int   // of the answer, where Why is [Status]
	Err    error // what happened, nil where there is no more to say
}

func (e *Error) Error() string {
	text := string(e.Why)
	if e.Status != 0 {
		text = fmt.Sprintf("%s %d", e.Why, e.Status)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// timedOut says that an error is that of a deadline, also one of the network's own.
func timedOut(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.As(err, &network) && network.Timeout()
}
