// Package footprint keeps a daemon with little live memory and short work small: on the
// processors, and before the garbage collector.
package footprint

import (
	"os"
	"runtime"
	"runtime/debug"
)

// Pace is when the collector runs: when a share of what is live, and of a ballast beside
// it, has become garbage. It keeps to a share of what is live by itself, so that it runs
// many times a second under load, over some megabytes each time.
type Pace struct {
	Percent int // as GOGC
	Ballast int // bytes
}

// Usual is 16 MiB of garbage, and as much as is live.
var Usual = Pace{Percent: 100, Ballast: 16 << 20}

// Low is 1.5 MiB of garbage, and a fifth of what is live: what piles up beside a backlog of
// messages comes and goes with each page.
var Low = Pace{Percent: 18, Ballast: 8 << 20}

// ballast counts as live memory for the collector. It is never touched, so that the
// operating system gives it no page.
var ballast []byte

// Keep sets the pace for the rest of the process; it is for main to call. GOGC in the environment says otherwise.
func (p Pace) Keep() {
	if os.Getenv("GOGC") != "" {
		return
	}
	ballast = make([]byte, p.Ballast)
	debug.SetGCPercent(p.Percent)
}

// OneProcessor has all goroutines run on one processor at a time. What passes from one to
// the next, and a daemon does little else, is then handed on in place, where otherwise a
// thread is woken on another processor for a few microseconds of work: beside a database
// and a broker on two cores that was a tenth of the daemons' time. GOMAXPROCS in the
// environment says otherwise. It is for main to call.
func OneProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}
