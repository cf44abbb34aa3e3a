package desk

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPolicy(t *testing.T) {
	t.Parallel()
	p := Policy{First: time.Second, Longest: time.Minute, RetryFor: time.Hour}
	for _, c := range []struct {
		what     string
		reason   string
		attempts int
		age      time.Duration
		random   float64
		state    State
		pause    time.Duration
	}{
		{"the first pause", Unroutable, 1, 0, 0.5, Retry, time.Second},
		{"doubles", Nacked, 4, time.Minute, 0.5, Retry, 8 * time.Second},
		{"up to the longest", Fatal, 7, time.Minute, 0.5, Retry, time.Minute},
		{"however many", Fatal, 1 << 30, time.Minute, 0.5, Retry, time.Minute},
		{"at least three quarters", Nacked, 1, 0, 0, Retry, 750 * time.Millisecond},
		{"at most five", Nacked, 1, 0, 1, Retry, 1250 * time.Millisecond},
		{"for the last time", Nacked, 9, 59 * time.Minute, 0.5, Retry, time.Minute},
		{"not after the time for it", Nacked, 9, 59*time.Minute + 1, 0.5, Dead, 0},
		{"never", Invalid, 1, 0, 0.5, Dead, 0},
	} {
		state, pause := p.after(c.reason, c.attempts, c.age, c.random)
		require.Equal(t, c.state, state, c.what)
		require.Equal(t, c.pause, pause, c.what)
	}
}

func TestTimeIsCountedFromTheFirstRefusal(t *testing.T) {
	t.Parallel()
	require.Zero(t, (&testEntry{}).age(), "of the log")
	require.Zero(t, (&testEntry{due: &Due[Message]{Age: time.Hour}}).age(), "it waited for another")
	require.Equal(t, time.Hour, (&testEntry{due: &Due[Message]{Age: time.Hour, Attempts: 1}}).age())
}
