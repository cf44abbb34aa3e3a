package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"go.example/saga/bench/internal/contender"
	"go.example/saga/bench/internal/lab"
	page "go.example/saga/bench/internal/report"
	"go.example/saga/bench/internal/scenario"
	"go.example/saga/bench/internal/stats"
)

// measure runs the scenarios and writes the page, if one is named and nothing was
// left out; else it prints the tables. The bars are valid also with an error.
func (o options) measure(ctx context.Context) (bars []stats.Bar, err error) {
	var into page.Page
	if o.page != "" {
		if into, err = page.OpenPage(o.page); err != nil {
			return nil, err
		}
	}
	l, err := lab.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	env, err := o.environment(ctx, l)
	if err != nil {
		return nil, err
	}
	results := o.run(ctx, env)
	if ctx.Err() != nil {
		return nil, errors.New("interrupted")
	}
	var text strings.Builder
	if err := o.write(ctx, &text, l, results); err != nil {
		return nil, err
	}
	for _, r := range results {
		bars = append(bars, r.Bars...)
	}
	if o.page == "" || len(results) < len(scenario.All) {
		fmt.Fprintln(os.Stdout, text.String())
		return bars, nil
	}
	return bars, into.Write(text.String())
}

func (o options) environment(ctx context.Context, l *lab.Lab) (scenario.Env, error) {
	env := scenario.Env{
		Lab: l, Rows: o.rows, Rounds: o.rounds, Held: o.held, Backlog: o.backlog, Latency: o.latency, Say: say,
	}
	if l.Meter.Missing != nil {
		say("no processor times: %v", l.Meter.Missing)
	}
	say("building the relay")
	var err error
	env.Relay, err = contender.BuildRelay(ctx, l.Dir)
	return env, err
}

func say(format string, values ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format(time.TimeOnly)+" "+format+"\n", values...)
}

// run runs the scenarios that are wanted. One that fails misses a bar and does
// not keep the others from running.
func (o options) run(ctx context.Context, env scenario.Env) []scenario.Result {
	var results []scenario.Result
	for _, s := range scenario.All {
		if !slices.Contains(o.only, s.Name) || ctx.Err() != nil {
			continue
		}
		say("%s", s.Name)
		result, err := s.Run(env, ctx)
		if err != nil {
			say("%s failed: %v", s.Name, err)
			result.Bars = append(result.Bars, stats.AtLeast(s.Name, math.NaN(), 1))
		}
		results = append(results, result)
	}
	return results
}

func (o options) write(ctx context.Context, text *strings.Builder, l *lab.Lab, results []scenario.Result) error {
	postgres, broker, err := l.Versions(ctx)
	if err != nil {
		return err
	}
	facts := page.Facts{Command: o.command, When: time.Now(), Postgres: postgres, Broker: broker}
	text.WriteString(facts.Markdown())
	var bars []stats.Bar
	for _, r := range results {
		bars = append(bars, r.Bars...)
		for _, table := range r.Tables {
			text.WriteString("\n" + table.Markdown())
		}
	}
	text.WriteString("\n" + page.Bars(bars).Markdown())
	return nil
}
