package scenario

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"go.example/saga/bench/internal/report"
	"go.example/saga/bench/internal/stats"
	"go.example/saga/bench/internal/suite"
	"go.example/saga/bench/saga/internal/contender"
)

const (
	// fewAtMost is the number of sagas that ended before where there are few.
	fewAtMost = 10_000
	// ofFew is the part of its rate that many must leave.
	ofFew = 0.9
	// patterns is how many orders are carried out to be copied.
	patterns = 200
)

// aged is a site where so many sagas ended before.
type aged struct {
	*site
	count int
	found []figures
}

// FinishedBefore measures this system with few and with many sagas that ended
// before, with their history and their messages, in turns.
func (e Env) FinishedBefore(ctx context.Context) (result suite.Result, err error) {
	defer func() { err = errors.Join(err, e.Lab.DropDatabases(context.WithoutCancel(ctx))) }()
	few, err := e.age(ctx, min(fewAtMost, e.Finished/2))
	if err != nil {
		return result, err
	}
	many, err := e.age(ctx, e.Finished)
	if err != nil {
		return result, err
	}
	for range e.Rounds {
		for _, a := range []*aged{few, many} {
			f, err := a.run(ctx, contender.NewSystem(e.Programs), e.accepted(e.Orders))
			if err != nil {
				return result, fmt.Errorf("after %d sagas: %w", a.count, err)
			}
			a.found = append(a.found, f)
		}
	}
	kept := stats.Ratio(of(many.found, rate), of(few.found, rate))
	return suite.Result{
		Tables: []report.Table{{
			Title: "With sagas that ended before",
			Note: fmt.Sprintf("This system, %d clients that do not wait for the end, at most %d orders under way; medians of %d interleaved rounds. The sagas are still there, with their history and their published messages. "+
				"CPU seconds are for 1,000 sagas, of all processes.", Clients, e.Running, e.Rounds),
			Head: []string{"ended before", "sagas/s", "of the first", "CPU-s", "PostgreSQL CPU-s"},
			Rows: [][]string{few.row(1), many.row(kept)},
		}},
		Bars: []stats.Bar{stats.AtLeast("finished.rate", kept, ofFew)},
	}, nil
}

// age makes a site, carries out a few orders and copies what came of them.
func (e Env) age(ctx context.Context, count int) (*aged, error) {
	s, err := e.newSite(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.run(ctx, contender.NewSystem(e.Programs), e.accepted(patterns)); err != nil {
		return nil, fmt.Errorf("carry out what is to be copied: %w", err)
	}
	suite.Say("copying them to %d sagas", count)
	return &aged{site: s, count: count}, s.databases.Age(ctx, count)
}

func (a *aged) row(kept float64) []string {
	median := func(figure func(figures) float64) string { return stats.Number(stats.Median(of(a.found, figure))) }
	return []string{strconv.Itoa(a.count), median(rate), stats.Number(kept), median(allCPU), median(postgresUse)}
}
