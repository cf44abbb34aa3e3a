package saga

import (
	"hash/fnv"
	"math"
	"strconv"
	"time"
)

// exhausted says whether the attempt that was sent last is the last that the policy
// grants. Those that were answered retry do not count.
func (p Policy) exhausted(s StepState) bool { return s.Attempt-s.Retried.Times >= p.Retry.Attempts }

// wait is how long after sending the attempt its Timer is due: the time for the
// answer and, unless it is the last attempt, the delay before the next one.
func (p Policy) wait(s StepState, spread float64) time.Duration {
	if p.exhausted(s) {
		return p.Timeout
	}
	return p.Timeout + p.Retry.delay(s.Attempt, spread)
}

// after is the pause after an answer retry, which ends with what is left of the time
// that the policy grants for such answers; 0 where nothing is left.
func (p Policy) after(s StepState, spread float64) time.Duration {
	return max(0, min(p.Retry.delay(s.Attempt, spread), p.RetryFor-s.Retried.For))
}

// delay is the backoff after the attempt. spread, from -1 to 1, places it within
// the jitter.
func (r Retry) delay(attempt int, spread float64) time.Duration {
	d := float64(r.Initial) * math.Pow(r.Factor, float64(attempt-1))
	d = math.Min(d, float64(r.Max))
	return time.Duration(d * (1 + r.Jitter*spread))
}

// spread draws the jitter of one attempt from what identifies it, so that sagas
// that failed together do not come back together and a replay computes the same.
func spread(id ID, step string, op Operation, attempt int) float64 {
	h := fnv.New64a()
	h.Write(id[:])
	h.Write([]byte(step))
	h.Write([]byte(op))
	h.Write([]byte(strconv.Itoa(attempt)))
	return float64(h.Sum64()>>11)/(1<<52) - 1
}
