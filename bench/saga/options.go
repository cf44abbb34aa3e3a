package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.example/saga/bench/saga/internal/scenario"
)

// options are the flags.
type options struct {
	orders, rounds, finished int
	latency                  time.Duration
	only                     []string
	page                     string
	command                  string // as it was called
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	var names []string
	for _, s := range scenario.All {
		names = append(names, s.Name)
	}
	all := strings.Join(names, ",")
	set := flag.NewFlagSet("saga", flag.ContinueOnError)
	set.SetOutput(out)
	set.IntVar(&o.orders, "orders", 6_000, "`sagas` that a fast contender runs in a round")
	set.IntVar(&o.rounds, "rounds", 3, "rounds of each contender")
	set.IntVar(&o.finished, "finished", 5_000_000, "`sagas` that ended before, where there are many")
	set.DurationVar(&o.latency, "latency", 15*time.Second, "length of a round of single sagas")
	only := set.String("only", all, "`scenarios` to run")
	set.StringVar(&o.page, "page", "", "Markdown `file` to write the tables of a whole run into")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	o.only = strings.Split(*only, ",")
	o.command = strings.Join(append([]string{"cd bench && go run ./saga"}, args...), " ")
	return o, o.check(set, names)
}

func (o options) check(set *flag.FlagSet, names []string) error {
	if set.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	for _, name := range o.only {
		if !slices.Contains(names, name) {
			return fmt.Errorf("-only: no scenario is called %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	// The slowest contender has a part of the orders, of which a part is not timed.
	const fewest = 100
	for name, value := range map[string]int{"orders": o.orders, "finished": o.finished} {
		if value < fewest {
			return fmt.Errorf("-%s is %d, want at least %d", name, value, fewest)
		}
	}
	if o.rounds < 1 || o.latency < time.Second {
		return fmt.Errorf("-rounds is %d and -latency %v, want at least 1 and 1s", o.rounds, o.latency)
	}
	return nil
}
