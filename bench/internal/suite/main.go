package suite

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"go.example/saga/bench/internal/stats"
)

// Exit codes.
const (
	exitShort = 1 // a bar is missed, or the run failed
	exitUsage = 2
)

// Program is a benchmark as a program.
type Program struct {
	// Verb is the first argument where the program is a contender instead; Contend
	// does its work, and takes the contender's name.
	Verb    string
	Contend func(name string) error
	// Parse reads the flags and says what they ask for.
	Parse func(args []string) (Measure, error)
}

// Measure runs what is wanted. The bars are valid also with an error.
type Measure func(context.Context) ([]stats.Bar, error)

// Main runs the program and returns its exit code.
func (p Program) Main() int {
	if len(os.Args) == 3 && os.Args[1] == p.Verb {
		return exitCode(p.Contend(os.Args[2]))
	}
	measure, err := p.Parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	bars, err := measure(ctx)
	if met := stats.PrintBars(os.Stdout, bars); err == nil && !met {
		return exitShort
	}
	return exitCode(err)
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return exitShort
}
