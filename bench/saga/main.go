package main

import (
	"os"

	"go.example/saga/bench/internal/suite"
	"go.example/saga/bench/saga/internal/contender"
)

func main() {
	os.Exit(suite.Program{
		Verb: contender.Verb, Contend: contender.Serve,
		Parse: func(args []string) (suite.Measure, error) {
			o, err := parse(args, os.Stderr)
			return o.measure, err
		},
	}.Main())
}
