package scenario

import (
	"context"
	"fmt"
	"slices"

	"go.example/saga/bench/internal/contender"
	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/report"
	"go.example/saga/bench/internal/stats"
)

// The bars of a drain.
const (
	atLeastWatermill = 8
	atLeastRiver     = 2
	relayCPU         = 4   // seconds for each 100,000 messages
	postgresCPU      = 0.6 // likewise
)

// atLeastPublisher is the part of the limit that the relay has to reach.
var atLeastPublisher = map[lab.Kind]float64{lab.Classic: 0.95, lab.Quorum: 0.80}

// Drain lets all contenders drain the same backlog, in turns.
func (e Env) Drain(ctx context.Context) (Result, error) {
	var bars []stats.Bar
	table := report.Table{
		Title: "Draining a backlog",
		Note: fmt.Sprintf("Medians of %d interleaved rounds, in brackets the slowest and the fastest. \"relay ÷ this\" is the median of the rounds' ratios. "+
			"CPU seconds are for 100,000 messages: of the contender's own process, of all of PostgreSQL's and of the broker's.", e.Rounds),
		Head: []string{"queue", "contender", "messages/s", "relay ÷ this", "own CPU-s", "PostgreSQL CPU-s", "broker CPU-s", "peak MiB"},
	}
	for _, kind := range []lab.Kind{lab.Classic, lab.Quorum} {
		drains, err := e.drains(ctx, kind)
		if err != nil {
			return Result{Tables: []report.Table{table}, Bars: bars}, err
		}
		for _, c := range contender.All(e.Relay) {
			table.Rows = append(table.Rows, drainRow(kind, c.Name, drains))
		}
		bars = append(bars, drainBars(kind, drains)...)
	}
	return Result{Tables: []report.Table{table}, Bars: bars}, nil
}

// drains are the figures of each contender, a round each.
type drains map[string][]figures

// drains has every contender once a round, in another order each time: none always
// comes after the same one.
func (e Env) drains(ctx context.Context, kind lab.Kind) (drains, error) {
	found := drains{}
	contenders := contender.All(e.Relay)
	for range e.Rounds {
		for _, c := range contenders {
			rows := max(e.Rows/c.Share, 1)
			f, err := e.measure(ctx, measurement{contender: c, kind: kind, backlog: rows, timed: rows})
			if err != nil {
				return nil, err
			}
			found[c.Name] = append(found[c.Name], f)
		}
		contenders = append(contenders[1:], contenders[0])
	}
	return found, nil
}

// of is one figure of all rounds of a contender.
func (d drains) of(name string, figure func(figures) float64) []float64 {
	var values []float64
	for _, f := range d[name] {
		values = append(values, figure(f))
	}
	return values
}

func rate(f figures) float64        { return f.rate }
func ownCPU(f figures) float64      { return f.cpu.Own }
func postgresUse(f figures) float64 { return f.cpu.Postgres }
func brokerUse(f figures) float64   { return f.cpu.Broker }
func memory(f figures) float64      { return f.memory }

// ratio is how many times as fast as another the relay is.
func (d drains) ratio(name string) float64 {
	return stats.Ratio(d.of(contender.Relay, rate), d.of(name, rate))
}

func drainRow(kind lab.Kind, name string, d drains) []string {
	rates := d.of(name, rate)
	median := func(figure func(figures) float64) string { return stats.Number(stats.Median(d.of(name, figure))) }
	return []string{
		string(kind), name,
		fmt.Sprintf("%s (%s–%s)", median(rate), stats.Number(slices.Min(rates)), stats.Number(slices.Max(rates))),
		stats.Number(d.ratio(name)), median(ownCPU), median(postgresUse), median(brokerUse), median(memory),
	}
}

func drainBars(kind lab.Kind, d drains) []stats.Bar {
	name := func(what string) string { return "drain." + string(kind) + "." + what }
	return []stats.Bar{
		stats.AtLeast(name(contender.Pure), d.ratio(contender.Pure), atLeastPublisher[kind]),
		stats.AtLeast(name(contender.Watermill), d.ratio(contender.Watermill), atLeastWatermill),
		stats.AtLeast(name(contender.River), d.ratio(contender.River), atLeastRiver),
		stats.AtMost(name("relay-cpu"), stats.Median(d.of(contender.Relay, ownCPU)), relayCPU),
		stats.AtMost(name("postgres-cpu"), stats.Median(d.of(contender.Relay, postgresUse)), postgresCPU),
	}
}
