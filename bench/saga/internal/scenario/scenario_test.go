package scenario

import (
	"math"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/stats"
	"go.example/saga/bench/saga/internal/contender"
)

// runs are some with these rates.
func runs(rates ...float64) (all []figures) {
	for _, r := range rates {
		times := hdrhistogram.New(1, 1000, 3)
		_ = times.RecordValue(500)
		all = append(all, figures{
			rate: r, commits: 1.25, cpu: lab.Reading{Own: 0.25, Postgres: 1, Broker: 0.25},
			memory: map[string]float64{"relay": r, "hotel": math.NaN()}, times: times,
		})
	}
	return all
}

func TestThroughputBars(t *testing.T) {
	t.Parallel()
	r := rounds{
		contender.Floor: runs(100, 200, 100), contender.System: runs(90, 220, 110),
		contender.River: runs(20, 40, 20), contender.DBOS: runs(10, 90, 10),
	}
	bars := map[string]stats.Bar{}
	for _, b := range r.bars() {
		bars[b.Name] = b
	}
	require.InDelta(t, 1.1, bars["throughput.floor"].Value, 1e-9)
	require.InDelta(t, 5.5, bars["throughput.river"].Value, 1e-9)
	require.InDelta(t, 9, bars["throughput.dbos"].Value, 1e-9)
	require.InDelta(t, 1.5, bars["throughput.cpu"].Value, 1e-9)
	require.InDelta(t, 1.25, bars["throughput.commits"].Value, 1e-9)
	require.True(t, stats.PrintBars(t.Output(), r.bars()))
	require.Equal(t, []string{"32 clients", "river", "20.0 (20.0–40.0)", "5.500", "1.500", "0.250", "1.000", "0.250", "1.250", "0.500", "0.500"}, r.row("32 clients", contender.River))
}

func TestMemoryIsTheMostOfAllRuns(t *testing.T) {
	t.Parallel()
	memory := map[string]float64{"relay": 50}
	rounds{contender.System: runs(40, 65, 60), contender.DBOS: runs(1000)}.peaks(memory)
	table, bars := memoryTable(memory)
	require.Equal(t, [][]string{{"hotel", "n/a"}, {"relay", "65.0"}}, table.Rows)
	require.False(t, bars[0].Met(), "what was not measured is short")
	require.False(t, bars[1].Met())
}
