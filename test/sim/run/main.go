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
	inbox := flag.Bool("inbox", false, "play a queue and its consumers, not sagas")
	tell := flag.Uint64("tell", 0, "tell this one seed word for word, and run nothing else")
	profile := flag.String("cpuprofile", "", "write a profile to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	work := func() int { return play(ctx, *inbox, *from, *seeds, *profile) }
	if *tell != 0 {
		work = func() int { return story(*inbox, *tell) }
	}
	code := work()
	stop()
	os.Exit(code)
}

func story(inbox bool, seed uint64) int {
	tell := sim.Tell
	if inbox {
		tell = sim.TellInbox
	}
	text, v := tell(seed)
	fmt.Fprint(os.Stdout, text)
	if v != nil {
		return 1
	}
	return 0
}

// garbage is how much the heap may grow between collections, in percent: next to
// nothing of a schedule outlives it.
const garbage = 1600

func play(ctx context.Context, inbox bool, from, seeds uint64, profile string) int {
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
	options := sim.Options{
		From: from, Seeds: seeds, Workers: runtime.GOMAXPROCS(0),
		Done: func(n uint64) {
			fmt.Fprintf(os.Stderr, "%d schedules, %.0f/s\n", n, rate(n))
		},
	}
	schedules, counts, violation := run(ctx, inbox, options)
	fmt.Fprintf(os.Stdout, "%d schedules, %.0f/s: %s\n", schedules, rate(uint64(schedules)), counts)
	if violation != nil {
		fmt.Fprintln(os.Stdout, violation)
		return 1
	}
	return 0
}

func run(ctx context.Context, inbox bool, options sim.Options) (schedules int, counts fmt.Stringer, violation *sim.Violation) {
	if inbox {
		tally, violation := sim.RunInbox(ctx, options)
		return tally.Schedules, &tally, violation
	}
	tally, violation := sim.Run(ctx, options)
	return tally.Schedules, &tally, violation
}
