package saga

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDelayDoublesUpToItsCap(t *testing.T) {
	r := Retry{Initial: time.Second, Factor: 2, Max: 5 * time.Second, Attempts: 9}
	var got []time.Duration
	for attempt := range 5 {
		got = append(got, r.delay(attempt+1, 0))
	}
	require.Equal(t, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second}, got)
}

func TestTheLastAttemptWaitsOnlyForItsAnswer(t *testing.T) {
	p := Policy{Timeout: time.Second, Retry: Retry{Initial: time.Minute, Factor: 1, Max: time.Minute, Attempts: 2}}
	require.Equal(t, time.Minute+time.Second, p.wait(StepState{Attempt: 1}, 0))
	require.Equal(t, time.Second, p.wait(StepState{Attempt: 2}, 0))
	require.Equal(t, time.Minute+time.Second, p.wait(StepState{Attempt: 9, Retried: Retried{Times: 8}}, 0), "those that were answered retry do not count")
}

func TestThePausesAfterRetryAddUpToItsTime(t *testing.T) {
	p := Policy{RetryFor: 10 * time.Second, Retry: Retry{Initial: time.Second, Factor: 2, Max: 5 * time.Second, Attempts: 1}}
	var got []time.Duration
	s := StepState{Attempt: 1}
	for pause := p.after(s, 0); pause > 0; pause = p.after(s, 0) {
		got = append(got, pause)
		s.Attempt++
		s.Retried.For += pause
	}
	require.Equal(t, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 3 * time.Second}, got)
}

// Every policy that Validate accepts yields times that are neither negative nor
// overflown, for every attempt.
func TestDelayStaysInBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{Timeout: MaxWait, Retry: Retry{
			Initial:  time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(MaxWait)).Draw(t, "initial")),
			Factor:   rapid.Float64Range(1, MaxFactor).Draw(t, "factor"),
			Max:      MaxWait,
			Jitter:   rapid.Float64Range(0, 1).Draw(t, "jitter"),
			Attempts: MaxAttempts,
		}}
		attempt := rapid.IntRange(1, MaxAttempts).Draw(t, "attempt")
		s := spread(ID{1}, "step", Request, attempt)
		require.LessOrEqual(t, math.Abs(s), 1.0)
		d := p.wait(StepState{Attempt: attempt}, s)
		require.Positive(t, d)
		require.LessOrEqual(t, d, 3*MaxWait)
	})
}

func TestSpreadDiffersBetweenSagasAndNotBetweenReplays(t *testing.T) {
	first, again, other := spread(ID{1}, "a", Request, 1), spread(ID{1}, "a", Request, 1), spread(ID{2}, "a", Request, 1)
	require.InDelta(t, first, again, 0)
	require.Greater(t, math.Abs(first-other), 0.0)
}
