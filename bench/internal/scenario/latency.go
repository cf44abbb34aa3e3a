package scenario

import (
	"context"
	"errors"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"

	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/report"
	"go.example/saga/bench/internal/stats"
)

// Milliseconds that a message through the outbox may take more than one that is
// published directly.
const (
	medianAbove = 3
	tailAbove   = 25
)

// arrivals are the rates that are measured, in messages a second.
var arrivals = []int{20, 500}

// Latencies measures how long single messages take to the consumer: through the
// outbox from just before COMMIT is sent, published directly from just before the
// publish. Both go over the same queue, in turns.
func (e Env) Latencies(ctx context.Context) (result Result, err error) {
	queue, err := e.Lab.Queue(lab.Classic)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, queue.Delete(), e.Lab.DropDatabases(context.WithoutCancel(ctx))) }()
	routes, err := e.openRoutes(ctx, queue)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, routes.close()) }()
	table := report.Table{
		Title: "From commit to consumer",
		Note: fmt.Sprintf("Milliseconds, to a classic queue; %d interleaved rounds of %v, arrivals at random. Through the outbox the time begins just before COMMIT is sent, "+
			"so that it includes the commit.", e.Rounds, e.Latency),
		Head: []string{"messages/s", "route", "p50", "p90", "p99", "largest"},
	}
	for _, perSecond := range arrivals {
		direct, through, err := e.alternate(ctx, routes, perSecond)
		if err != nil {
			return result, err
		}
		table.Rows = append(table.Rows, latencyRow(perSecond, "direct", direct), latencyRow(perSecond, "outbox and relay", through))
		above := func(percentile float64) float64 {
			return milliseconds(through, percentile) - milliseconds(direct, percentile)
		}
		result.Bars = append(result.Bars,
			stats.AtMost(fmt.Sprintf("latency.%d.p50-above-direct", perSecond), above(50), medianAbove),
			stats.AtMost(fmt.Sprintf("latency.%d.p99-above-direct", perSecond), above(99), tailAbove))
	}
	result.Tables = []report.Table{table}
	return result, nil
}

// alternate gives each route its turn, and sums up each one's rounds.
func (e Env) alternate(ctx context.Context, r *routes, perSecond int) (direct, through *hdrhistogram.Histogram, err error) {
	direct, through = newHistogram(), newHistogram()
	for range e.Rounds {
		for _, turn := range []struct {
			send send
			into *hdrhistogram.Histogram
		}{{r.direct, direct}, {r.through, through}} {
			times, err := r.clock.round(ctx, turn.send, perSecond, e.Latency)
			if err != nil {
				return nil, nil, fmt.Errorf("latency at %d messages/s: %w", perSecond, err)
			}
			turn.into.Merge(times)
		}
	}
	e.Say("%-10s %4d/s    p50 %s ms, directly %s ms", "latency", perSecond,
		stats.Number(milliseconds(through, 50)), stats.Number(milliseconds(direct, 50)))
	return direct, through, nil
}

// newHistogram holds microseconds up to a minute with three digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 60_000_000, 3) }

func milliseconds(h *hdrhistogram.Histogram, percentile float64) float64 {
	return float64(h.ValueAtQuantile(percentile)) / 1000
}

func latencyRow(perSecond int, route string, h *hdrhistogram.Histogram) []string {
	row := []string{fmt.Sprint(perSecond), route}
	for _, percentile := range []float64{50, 90, 99, 100} {
		row = append(row, stats.Number(milliseconds(h, percentile)))
	}
	return row
}
