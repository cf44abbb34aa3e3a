package desk

import "time"

// Policy says when a refused message is tried again, and when no more.
type Policy struct {
	First, Longest time.Duration // pause before the second attempt, and at most
	RetryFor       time.Duration // from the first attempt on
}

// after the given number of failed attempts. random is in [0,1): pauses vary by a
// quarter, so that what was refused together does not come back together.
func (p Policy) after(reason string, attempts int, age time.Duration, random float64) (State, time.Duration) {
	pause := p.Longest
	if doublings := attempts - 1; doublings < 30 && p.First<<doublings < p.Longest {
		pause = p.First << doublings
	}
	pause = time.Duration(float64(pause) * (0.75 + random/2))
	if reason == Invalid || age+pause > p.RetryFor {
		return Dead, 0
	}
	return Retry, pause
}
