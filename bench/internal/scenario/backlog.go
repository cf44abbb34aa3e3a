package scenario

import (
	"context"
	"fmt"

	"go.example/saga/bench/internal/contender"
	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/report"
	"go.example/saga/bench/internal/stats"
)

// backlogMemory is what the relay may take, in MiB.
const backlogMemory = 40

// LargeBacklog drains the first rows of a large backlog, and of one of just these
// rows. The whole would take as long again as all other scenarios.
func (e Env) LargeBacklog(ctx context.Context) (Result, error) {
	timed := min(2*e.Rows, e.Backlog)
	table := report.Table{
		Title: "A large backlog",
		Note:  fmt.Sprintf("The relay alone, to a classic queue: the first %d messages, one run each.", timed),
		Head:  []string{"rows waiting", "messages/s", "first message after s", "own CPU-s", "PostgreSQL CPU-s", "peak MiB"},
	}
	var large figures
	for _, rows := range []int{timed, e.Backlog} {
		f, err := e.measure(ctx, measurement{
			contender: contender.NewRelay(e.Relay), kind: lab.Classic, backlog: rows, timed: timed,
		})
		if err != nil {
			return Result{}, fmt.Errorf("a backlog of %d: %w", rows, err)
		}
		table.Rows = append(table.Rows, []string{
			fmt.Sprint(rows), stats.Number(f.rate), stats.Number(f.first),
			stats.Number(f.cpu.Own), stats.Number(f.cpu.Postgres), stats.Number(f.memory),
		})
		large = f
	}
	return Result{
		Tables: []report.Table{table},
		Bars:   []stats.Bar{stats.AtMost("backlog.memory", large.memory, backlogMemory)},
	}, nil
}
