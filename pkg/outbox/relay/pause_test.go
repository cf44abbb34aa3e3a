package relay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLooksBecomeRarer(t *testing.T) {
	t.Parallel()
	for idle, want := range map[time.Duration][3]time.Duration{
		0:                      {minPoll, minPollRung, maxPoll},
		4 * time.Millisecond:   {minPoll, 12 * time.Millisecond, maxPoll},
		80 * time.Millisecond:  {10 * time.Millisecond, maxPoll, maxPoll},
		400 * time.Millisecond: {50 * time.Millisecond, maxPoll, maxPoll},
		time.Hour:              {maxPoll, maxPoll, maxPoll},
	} {
		require.Equal(t, want, [3]time.Duration{pollPause(idle, hearsNone), pollPause(idle, hearsSome), pollPause(idle, hearsAll)}, idle)
	}
}

func TestWhatIsHeard(t *testing.T) {
	t.Parallel()
	require.Equal(t, hearsNone, hears(false, false))
	require.Equal(t, hearsNone, hears(false, true))
	require.Equal(t, hearsSome, hears(true, true))
	require.Equal(t, hearsAll, hears(true, false))
}

func TestLingerOnlyUnderLoad(t *testing.T) {
	t.Parallel()
	require.Zero(t, linger(0))
	require.Zero(t, linger(lingerFrom-1))
	require.Equal(t, lingerFor, linger(lingerFrom))
	require.Equal(t, time.Millisecond, linger(1000*gather))
}
