package relay

import (
	"errors"
	"time"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/outboxpg"
)

// Classes of what the broker refuses, as the table outbox_parked knows them.
const (
	reasonUnroutable = "unroutable"
	reasonNacked     = "nacked"
	reasonInvalid    = "invalid"
	reasonFatal      = "fatal"
)

// reasonOf is the class of a publisher's error; empty when it is no verdict on the
// message.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, outbox.ErrUnroutable):
		return reasonUnroutable
	case errors.Is(err, outbox.ErrNacked):
		return reasonNacked
	case errors.Is(err, outbox.ErrUnpublishable):
		return reasonInvalid
	case errors.Is(err, outbox.ErrFatal):
		return reasonFatal
	default:
		return ""
	}
}

// policy says when a refused message is tried again, and when no more.
type policy struct {
	first, longest time.Duration // pause before the second attempt, and at most
	retryFor       time.Duration // from the first attempt on
}

// after the given number of failed attempts. random is in [0,1): pauses vary by a
// quarter, so that what was refused together does not come back together.
func (p policy) after(reason string, attempts int, age time.Duration, random float64) (outboxpg.ParkState, time.Duration) {
	pause := p.longest
	if doublings := attempts - 1; doublings < 30 && p.first<<doublings < p.longest {
		pause = p.first << doublings
	}
	pause = time.Duration(float64(pause) * (0.75 + random/2))
	if reason == reasonInvalid || age+pause > p.retryFor {
		return outboxpg.Dead, 0
	}
	return outboxpg.Retry, pause
}

// age is for how long a message has been refused.
func (e *entry) age() time.Duration {
	if e.due == nil || e.due.Attempts == 0 {
		return 0
	}
	return e.due.Age
}
