package scenario

import (
	"context"
	"fmt"
	"slices"

	"go.example/saga/bench/internal/report"
	"go.example/saga/bench/internal/stats"
	"go.example/saga/bench/internal/suite"
	"go.example/saga/bench/saga/internal/contender"
)

// The bars of the throughput.
const (
	atLeastFloor  = 1.0
	atLeastPeer   = 4
	cpuSeconds    = 1.5 // for each 1,000 sagas, all processes together
	commitsEach   = 1.5
	processMemory = 64 // MiB
)

// Clients is how many clients place orders, each one after the other.
const Clients = 32

// accepted has each client go on as soon as its order is accepted.
func (e Env) accepted(orders int) contender.Load {
	return contender.Load{Orders: orders, Clients: Clients, Running: e.Running}
}

// ended has each client go on when its order has ended.
func (Env) ended(orders int) contender.Load {
	return contender.Load{Orders: orders, Clients: Clients, Running: Clients}
}

// Throughput lets all contenders carry out the same orders, in turns.
func (e Env) Throughput(ctx context.Context) (result suite.Result, err error) {
	table := report.Table{
		Title: "Sagas as fast as they end",
		Note: fmt.Sprintf("Medians of %d interleaved rounds, in brackets the slowest and the fastest. \"this system ÷ it\" is the median of the rounds' ratios. "+
			"CPU seconds are for 1,000 sagas, of all processes; own ones are those of PostgreSQL's and the broker's clients. Milliseconds are from a saga's start to its end. "+
			"%d clients place orders, each one after the other: as soon as the one before is accepted, with at most %d under way, or when it has ended.", e.Rounds, Clients, e.Running),
		Head: []string{"load", "contender", "sagas/s", "this system ÷ it", "CPU-s", "own", "PostgreSQL", "broker", "commits a saga", "p50 ms", "p99 ms"},
	}
	memory := map[string]float64{}
	for _, form := range []struct {
		name string
		load func(orders int) contender.Load
		bars bool
	}{
		{fmt.Sprintf("%d clients", Clients), e.accepted, true},
		{fmt.Sprintf("%d clients, each waits for the end", Clients), e.ended, false},
	} {
		suite.Say("%s", form.name)
		found, err := e.rounds(ctx, form.load)
		if err != nil {
			return result, fmt.Errorf("%s: %w", form.name, err)
		}
		for _, c := range contender.All(e.Programs) {
			table.Rows = append(table.Rows, found.row(form.name, c.Name))
		}
		if form.bars {
			result.Bars = append(result.Bars, found.bars()...)
		}
		found.peaks(memory)
	}
	sizes, bars := memoryTable(memory)
	result.Tables = []report.Table{table, sizes}
	result.Bars = append(result.Bars, bars...)
	return result, nil
}

// rounds are the figures of each contender, a round each.
type rounds map[string][]figures

// rounds has every contender once a round, in another order each time: none always
// comes after the same one.
func (e Env) rounds(ctx context.Context, load func(orders int) contender.Load) (rounds, error) {
	found := rounds{}
	contenders := contender.All(e.Programs)
	for range e.Rounds {
		for _, c := range contenders {
			f, err := e.once(ctx, c, load(max(e.Orders/c.Share, 1)))
			if err != nil {
				return nil, err
			}
			found[c.Name] = append(found[c.Name], f)
		}
		contenders = append(contenders[1:], contenders[0])
	}
	return found, nil
}

// of is one figure of several runs.
func of(found []figures, figure func(figures) float64) []float64 {
	var values []float64
	for _, f := range found {
		values = append(values, figure(f))
	}
	return values
}

func (r rounds) median(name string, figure func(figures) float64) float64 {
	return stats.Median(of(r[name], figure))
}

func rate(f figures) float64        { return f.rate }
func allCPU(f figures) float64      { return f.cpu.All() }
func ownCPU(f figures) float64      { return f.cpu.Own }
func postgresUse(f figures) float64 { return f.cpu.Postgres }
func brokerUse(f figures) float64   { return f.cpu.Broker }
func commits(f figures) float64     { return f.commits }

func quantile(q float64) func(figures) float64 {
	return func(f figures) float64 { return milliseconds(f.times, q) }
}

// ratio is how many times as fast as another this system is.
func (r rounds) ratio(name string) float64 {
	return stats.Ratio(of(r[contender.System], rate), of(r[name], rate))
}

func (r rounds) row(load, name string) []string {
	rates := of(r[name], rate)
	row := []string{
		load, name,
		fmt.Sprintf("%s (%s–%s)", stats.Number(stats.Median(rates)), stats.Number(slices.Min(rates)), stats.Number(slices.Max(rates))),
		stats.Number(r.ratio(name)),
	}
	for _, figure := range []func(figures) float64{allCPU, ownCPU, postgresUse, brokerUse, commits, quantile(50), quantile(99)} {
		row = append(row, stats.Number(r.median(name, figure)))
	}
	return row
}

func (r rounds) bars() []stats.Bar {
	return []stats.Bar{
		stats.AtLeast("throughput.floor", r.ratio(contender.Floor), atLeastFloor),
		stats.AtLeast("throughput.river", r.ratio(contender.River), atLeastPeer),
		stats.AtLeast("throughput.dbos", r.ratio(contender.DBOS), atLeastPeer),
		stats.AtMost("throughput.cpu", r.median(contender.System, allCPU), cpuSeconds),
		stats.AtMost("throughput.commits", r.median(contender.System, commits), commitsEach),
	}
}
