package saga

import (
	"hash/fnv"
	"math"
	"strconv"
	"time"
)

// exhausted says whether attempt was the last that the policy grants.
func (p Policy) exhausted(attempt int) bool { return attempt >= p.Retry.Attempts }

// wait is how long after sending the attempt its Timer is due: the time for the
// answer and, unless it is the last attempt, the delay before the next one.
func (p Policy) wait(attempt int, spread float64) time.Duration {
	if p.exhausted(attempt) {
		return p.Timeout
	}
	return p.Timeout + p.Retry.delay(attempt, spread)
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
