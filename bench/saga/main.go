package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"go.example/saga/bench/internal/stats"
	"go.example/saga/bench/saga/internal/contender"
)

// Exit codes.
const (
	exitShort = 1 // a bar is missed, or the run failed
	exitUsage = 2
)

func main() { os.Exit(run()) }

func run() int {
	if len(os.Args) == 3 && os.Args[1] == contender.Verb {
		return report(contender.Serve(os.Args[2]))
	}
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	bars, err := o.measure(ctx)
	if met := stats.PrintBars(os.Stdout, bars); err == nil && !met {
		return exitShort
	}
	return report(err)
}

func report(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return exitShort
}
