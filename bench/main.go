package main

import (
	"os"

	"go.example/saga/bench/internal/contender"
	"go.example/saga/bench/internal/suite"
)

func main() {
	os.Exit(suite.Program{
		Verb: contender.Verb, Contend: contender.Run,
		Parse: func(args []string) (suite.Measure, error) {
			o, err := parse(args, os.Stderr)
			return o.measure, err
		},
	}.Main())
}
