package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.example/saga/bench/internal/scenario"
)

// options are the flags.
type options struct {
	rows, rounds, held, backlog int
	latency                     time.Duration
	only                        []string
	page                        string
	command                     string // as it was called
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	var names []string
	for _, s := range scenario.All {
		names = append(names, s.Name)
	}
	all := strings.Join(names, ",")
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(out)
	set.IntVar(&o.rows, "rows", 100_000, "`messages` that a fast contender moves in a round")
	set.IntVar(&o.rounds, "rounds", 3, "rounds of each contender")
	set.IntVar(&o.held, "held", 1_000_000, "`messages` that pass while a transaction is held open")
	set.IntVar(&o.backlog, "backlog", 10_000_000, "`rows` of the largest backlog")
	set.DurationVar(&o.latency, "latency", 15*time.Second, "length of a round of single messages")
	only := set.String("only", all, "`scenarios` to run")
	set.StringVar(&o.page, "page", "", "Markdown `file` to write the tables of a whole run into")
	if err := set.Parse(args); err != nil {
		return o, err
	}
	o.only = strings.Split(*only, ",")
	o.command = strings.Join(append([]string{"cd bench && go run ."}, args...), " ")
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
	// A twentieth of a round is not timed, and the slowest contender has an eighth.
	const fewest = 1000
	for name, value := range map[string]int{"rows": o.rows, "held": o.held, "backlog": o.backlog} {
		if value < fewest {
			return fmt.Errorf("-%s is %d, want at least %d", name, value, fewest)
		}
	}
	if o.rounds < 1 || o.latency < time.Second {
		return fmt.Errorf("-rounds is %d and -latency %v, want at least 1 and 1s", o.rounds, o.latency)
	}
	return nil
}
