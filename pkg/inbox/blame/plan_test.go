package blame

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The tries of a message that always fails end, whatever the clock says, after a day of
// pauses.
func TestTriesEnd(t *testing.T) {
	t.Parallel()
	for _, clock := range []float64{1, 0, -1} {
		var waited time.Duration
		tries := 0
		for v := Plan(false, 0, 0); !v.Dead; v = Plan(false, tries, time.Duration(clock*float64(waited))) {
			require.Positive(t, v.Pause)
			require.LessOrEqual(t, v.Pause, LongestPause)
			waited += v.Pause
			tries++
		}
		require.Equal(t, Lifetime, waited)
		require.Equal(t, 29, tries)
	}
}
