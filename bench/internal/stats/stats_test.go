package stats

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	values := []float64{9, 1, 5}
	require.InDelta(t, 5, Median(values), 0)
	require.Equal(t, []float64{9, 1, 5}, values, "the caller's order stays")
	require.InDelta(t, 3, Median([]float64{1, 5}), 0)
	require.True(t, math.IsNaN(Median(nil)))
	require.True(t, math.IsNaN(Median([]float64{1, math.NaN(), 2})))
}

func TestRatioIsTakenWithinTheRounds(t *testing.T) {
	t.Parallel()
	// The machine halves its speed from round to round; the ratio stays.
	require.InDelta(t, 0.5, Ratio([]float64{50, 25, 12}, []float64{100, 50, 24}), 1e-9)
	require.True(t, math.IsNaN(Ratio([]float64{1}, nil)))
}

func TestBars(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	met := PrintBars(&out, []Bar{
		AtLeast("drain", 0.95, 0.95),
		AtLeast("slow", 0.949, 0.95),
		AtMost("memory", 40, 40),
		AtMost("fat", 123.4, 40),
		AtMost("unknown", math.NaN(), 4),
		AtLeast("nothing", math.NaN(), 4),
	})
	require.False(t, met)
	require.Equal(t, `BAR drain 0.950 >=0.95 ok
BAR slow 0.949 >=0.95 short
BAR memory 40.0 <=40 ok
BAR fat 123 <=40 short
BAR unknown n/a <=4 short
BAR nothing n/a >=4 short
`, out.String())
	require.True(t, PrintBars(&out, []Bar{AtLeast("drain", 1, 0.95)}))
}
