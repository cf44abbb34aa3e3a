// Command run plays simulated schedules and stops at the first that breaks an
// invariant.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"go.example/saga/test/sim"
)

func main() {
	from := flag.Uint64("from", 1, "the first seed")
	seeds := flag.Uint64("seeds", 100_000, "how many seeds")
	tell := flag.Uint64("tell", 0, "tell this one seed word for word, and run nothing else")
	profile := flag.String("cpuprofile", "", "write a profile to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	run := func() int { return play(ctx, *from, *seeds, *profile) }
	if *tell != 0 {
		run = func() int { return story(*tell) }
	}
	code := run()
	stop()
	os.Exit(code)
}

func story(seed uint64) int {
	text, v := sim.Tell(seed)
	fmt.Fprint(os.Stdout, text)
	if v != nil {
		return 1
	}
	return 0
}

// garbage is how much the heap may grow between collections, in percent: next to
// nothing of a schedule outlives it.
const garbage = 1600

func play(ctx context.Context, from, seeds uint64, profile string) int {
	debug.SetGCPercent(garbage)
	if profile != "" {
		file, err := os.Create(profile)
		if err != nil {
			fmt.Fprintln(os.Stderr, "the profile cannot be written:", err)
			return 2
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			fmt.Fprintln(os.Stderr, "the profile cannot be taken:", err)
			return 2
		}
		defer pprof.StopCPUProfile()
	}
	begun := time.Now()
	rate := func(n uint64) float64 { return float64(n) / time.Since(begun).Seconds() }
	tally, violation := sim.Run(ctx, sim.Options{
		From: from, Seeds: seeds, Workers: runtime.GOMAXPROCS(0),
		Done: func(n uint64) {
			fmt.Fprintf(os.Stderr, "%d schedules, %.0f/s\n", n, rate(n))
		},
	})
	fmt.Fprintf(os.Stdout, "%d schedules, %.0f/s: %s\n", tally.Schedules, rate(uint64(tally.Schedules)), &tally)
	if violation != nil {
		fmt.Fprintln(os.Stdout, violation)
		return 1
	}
	return 0
}
