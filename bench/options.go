package main

import (
	"io"

	"go.example/saga/bench/internal/scenario"
	"go.example/saga/bench/internal/suite"
)

// options are the flags.
type options struct {
	suite.Options
	rows, held, backlog int
}

func parse(args []string, out io.Writer) (o options, err error) {
	var names []string
	for _, s := range scenario.All {
		names = append(names, s.Name)
	}
	flags := suite.NewFlags("go run .", "messages", names)
	// A twentieth of a round is not timed, and the slowest contender has an eighth.
	const fewest = 1000
	flags.Number(&o.rows, "rows", 100_000, fewest, "`messages` that a fast contender moves in a round")
	flags.Number(&o.held, "held", 1_000_000, fewest, "`messages` that pass while a transaction is held open")
	flags.Number(&o.backlog, "backlog", 10_000_000, fewest, "`rows` of the largest backlog")
	o.Options, err = flags.Parse(args, out)
	return o, err
}
