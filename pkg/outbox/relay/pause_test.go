package relay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLooksBecomeRarer(t *testing.T) {
	t.Parallel()
	for idle, want := range map[time.Duration][2]time.Duration{
		0:                      {minPoll, minPollRung},
		4 * time.Millisecond:   {minPoll, 12 * time.Millisecond},
		80 * time.Millisecond:  {10 * time.Millisecond, maxPoll},
		400 * time.Millisecond: {50 * time.Millisecond, maxPoll},
		time.Hour:              {maxPoll, maxPoll},
	} {
		require.Equal(t, want, [2]time.Duration{pollPause(idle, false), pollPause(idle, true)}, idle)
	}
}

func TestLingerOnlyUnderLoad(t *testing.T) {
	t.Parallel()
	require.Zero(t, linger(0))
	require.Zero(t, linger(lingerFrom-1))
	require.Equal(t, lingerFor, linger(lingerFrom))
	require.Equal(t, time.Millisecond, linger(1000*gather))
}
