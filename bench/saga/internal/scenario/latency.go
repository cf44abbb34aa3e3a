package scenario

import (
	"context"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"

	"go.example/saga/bench/internal/report"
	"go.example/saga/bench/internal/stats"
	"go.example/saga/bench/internal/suite"
	"go.example/saga/bench/saga/internal/contender"
)

// perSecond is how many orders come in a second.
const perSecond = 20

// Milliseconds from the start of a saga to its end.
const (
	medianAtMost = 10
	tailAtMost   = 40
)

// Latencies measures how long single sagas take, from just before the start's
// transaction to the commit that gives the reservation its end.
func (e Env) Latencies(ctx context.Context) (result suite.Result, err error) {
	table := report.Table{
		Title: "Single sagas",
		Note: fmt.Sprintf("Milliseconds from start to end; %d a second on average, at random times, %d interleaved rounds of %v.",
			perSecond, e.Rounds, e.Latency),
		Head: []string{"contender", "p50", "p90", "p99", "largest"},
	}
	all := map[string]*hdrhistogram.Histogram{}
	contenders := []contender.Contender{contender.NewSystem(e.Programs), contender.NewDBOS()}
	for range e.Rounds {
		for _, c := range contenders {
			f, err := e.once(ctx, c, contender.Load{Orders: max(1, int(e.Latency.Seconds()*perSecond)), PerSecond: perSecond})
			if err != nil {
				return result, fmt.Errorf("single sagas: %w", err)
			}
			if all[c.Name] == nil {
				all[c.Name] = contender.NewHistogram()
			}
			all[c.Name].Merge(f.times)
		}
	}
	for _, c := range contenders {
		row := []string{c.Name}
		for _, percentile := range []float64{50, 90, 99, 100} {
			row = append(row, stats.Number(milliseconds(all[c.Name], percentile)))
		}
		table.Rows = append(table.Rows, row)
	}
	return suite.Result{
		Tables: []report.Table{table},
		Bars: []stats.Bar{
			stats.AtMost("latency.20.p50", milliseconds(all[contender.System], 50), medianAtMost),
			stats.AtMost("latency.20.p99", milliseconds(all[contender.System], 99), tailAtMost),
		},
	}, nil
}

func milliseconds(h *hdrhistogram.Histogram, percentile float64) float64 {
	return float64(h.ValueAtQuantile(percentile)) / 1000
}
