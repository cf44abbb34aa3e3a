package main

import (
	"io"

	"go.example/saga/bench/internal/suite"
	"go.example/saga/bench/saga/internal/scenario"
)

// options are the flags.
type options struct {
	suite.Options
	orders, running, finished int
}

func parse(args []string, out io.Writer) (o options, err error) {
	var names []string
	for _, s := range scenario.All {
		names = append(names, s.Name)
	}
	flags := suite.NewFlags("go run ./saga", "sagas", names)
	// The slowest contender has a part of the orders, of which a part is not timed.
	const fewest = 100
	flags.Number(&o.orders, "orders", 10_000, fewest, "`sagas` that a fast contender runs in a round")
	flags.Number(&o.running, "running", 1000, scenario.Clients, "`sagas` that may be under way")
	flags.Number(&o.finished, "finished", 5_000_000, fewest, "`sagas` that ended before, where there are many")
	o.Options, err = flags.Parse(args, out)
	return o, err
}
