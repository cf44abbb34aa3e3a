// Package suite is what benchmarks have in common as programs: it reads the flags,
// runs the parts one after the other and makes the page.
package suite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/internal/report"
	"go.example/saga/bench/internal/stats"
)

// Result is what a part found.
type Result struct {
	Tables []report.Table
	Bars   []stats.Bar
}

// Part is one part of a run.
type Part struct {
	Name string
	Run  func(context.Context) (Result, error)
}

// Suite is a run.
type Suite struct {
	Options
	Parts []Part
	// Target is the target of make that is called for the page.
	Target string
}

// Run runs the parts that are wanted and writes the page, if one is named and
// nothing was left out; else it prints the tables. The bars are valid also with an
// error.
func (s Suite) Run(ctx context.Context, l *lab.Lab) (bars []stats.Bar, err error) {
	var into report.Page
	if s.Page != "" {
		if into, err = report.OpenPage(s.Page, s.Target); err != nil {
			return nil, err
		}
	}
	if l.Meter.Missing != nil {
		Say("no processor times: %v", l.Meter.Missing)
	}
	results := s.run(ctx)
	if ctx.Err() != nil {
		return nil, errors.New("interrupted")
	}
	for _, r := range results {
		bars = append(bars, r.Bars...)
	}
	text, err := s.text(ctx, l, results, bars)
	if err != nil {
		return bars, err
	}
	if s.Page == "" || len(results) < len(s.Parts) {
		fmt.Fprintln(os.Stdout, text)
		return bars, nil
	}
	return bars, into.Write(text)
}

// run runs the parts that are wanted. One that fails misses a bar and does not keep
// the others from running.
func (s Suite) run(ctx context.Context) []Result {
	var results []Result
	for _, p := range s.Parts {
		if !slices.Contains(s.Only, p.Name) || ctx.Err() != nil {
			continue
		}
		Say("%s", p.Name)
		result, err := p.Run(ctx)
		if err != nil {
			Say("%s failed: %v", p.Name, err)
			result.Bars = append(result.Bars, stats.AtLeast(p.Name, math.NaN(), 1))
		}
		results = append(results, result)
	}
	return results
}

func (s Suite) text(ctx context.Context, l *lab.Lab, results []Result, bars []stats.Bar) (string, error) {
	postgres, broker, err := l.Versions(ctx)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	text.WriteString(report.Facts{Command: s.Command, When: time.Now(), Postgres: postgres, Broker: broker}.Markdown())
	for _, r := range results {
		for _, table := range r.Tables {
			text.WriteString("\n" + table.Markdown())
		}
	}
	text.WriteString("\n" + report.Bars(bars).Markdown())
	return text.String(), nil
}

// Say tells a person how the run gets on.
func Say(format string, values ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format(time.TimeOnly)+" "+format+"\n", values...)
}
