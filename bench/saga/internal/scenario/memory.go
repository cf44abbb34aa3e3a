package scenario

import (
	"maps"
	"slices"

	"go.example/saga/bench/internal/report"
	"go.example/saga/bench/internal/stats"
	"go.example/saga/bench/saga/internal/contender"
)

// peaks adds the most that each process of this system had.
func (r rounds) peaks(memory map[string]float64) {
	for _, f := range r[contender.System] {
		for process, mib := range f.memory {
			memory[process] = max(memory[process], mib) // NaN where it was not measured
		}
	}
}

func memoryTable(memory map[string]float64) (report.Table, []stats.Bar) {
	table := report.Table{
		Title: "Memory",
		Note:  "Most resident MiB that each process of this system had in any of these runs. The reservation service is the benchmark's own process, which places the orders.",
		Head:  []string{"process", "MiB"},
	}
	var bars []stats.Bar
	for _, process := range slices.Sorted(maps.Keys(memory)) {
		table.Rows = append(table.Rows, []string{process, stats.Number(memory[process])})
		bars = append(bars, stats.AtMost("memory."+process, memory[process], processMemory))
	}
	return table, bars
}
