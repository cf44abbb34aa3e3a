package relay

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/outboxpg"
)

func TestPolicy(t *testing.T) {
	t.Parallel()
	p := policy{first: time.Second, longest: time.Minute, retryFor: time.Hour}
	for _, c := range []struct {
		what     string
		reason   string
		attempts int
		age      time.Duration
		random   float64
		state    outboxpg.ParkState
		pause    time.Duration
	}{
		{"the first pause", reasonUnroutable, 1, 0, 0.5, outboxpg.Retry, time.Second},
		{"doubles", reasonNacked, 4, time.Minute, 0.5, outboxpg.Retry, 8 * time.Second},
		{"up to the longest", reasonFatal, 7, time.Minute, 0.5, outboxpg.Retry, time.Minute},
		{"however many", reasonFatal, 1 << 30, time.Minute, 0.5, outboxpg.Retry, time.Minute},
		{"at least three quarters", reasonNacked, 1, 0, 0, outboxpg.Retry, 750 * time.Millisecond},
		{"at most five", reasonNacked, 1, 0, 1, outboxpg.Retry, 1250 * time.Millisecond},
		{"for the last time", reasonNacked, 9, 59 * time.Minute, 0.5, outboxpg.Retry, time.Minute},
		{"not after the time for it", reasonNacked, 9, 59*time.Minute + 1, 0.5, outboxpg.Dead, 0},
		{"never", reasonInvalid, 1, 0, 0.5, outboxpg.Dead, 0},
	} {
		state, pause := p.after(c.reason, c.attempts, c.age, c.random)
		require.Equal(t, c.state, state, c.what)
		require.Equal(t, c.pause, pause, c.what)
	}
}

func TestVerdictsHaveAClass(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]string{
		outbox.ErrUnroutable:    reasonUnroutable,
		outbox.ErrNacked:        reasonNacked,
		outbox.ErrUnpublishable: reasonInvalid,
		outbox.ErrFatal:         reasonFatal,
		errNoConfirm:            "",
		errors.New("reset"):     "",
	} {
		require.Equal(t, want, reasonOf(fmt.Errorf("message 1: %w", err)), err)
	}
	require.Empty(t, reasonOf(nil))
}

func TestTimeIsCountedFromTheFirstRefusal(t *testing.T) {
	t.Parallel()
	require.Zero(t, (&entry{}).age(), "of the log")
	require.Zero(t, (&entry{due: &outboxpg.Due{Age: time.Hour}}).age(), "it waited for another")
	require.Equal(t, time.Hour, (&entry{due: &outboxpg.Due{Age: time.Hour, Attempts: 1}}).age())
}
