package garbage

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPace(t *testing.T) {
	t.Parallel()
	p := Pace{Percent: 35, Floor: 20 << 20}
	for live, want := range map[uint64]int{
		0:        35,
		2 << 20:  900,
		10 << 20: 100,
		16 << 20: 35,
		19 << 20: 35,
		50 << 20: 35,
	} {
		require.Equal(t, want, p.percent(live), "%d MiB live", live>>20)
	}
}
