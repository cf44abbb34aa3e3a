// Package garbage sets the pace of the collector for daemons with little live memory. The
// collector keeps to a share of that, so that it runs many times a second under load,
// over some megabytes each time.
package garbage

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Pace is when to collect: when the heap has grown by a share of what is live, as GOGC has
// it, but not below a size.
type Pace struct {
	Percent int
	Floor   uint64 // bytes
}

// Usual is for daemons whose work is short.
var Usual = Pace{Percent: 100, Floor: 24 << 20}

// Keep sets the pace for the rest of the process. GOGC in the environment says otherwise.
func (p Pace) Keep() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(p.percent(liveHeap()))
	p.afterNext()
}

// afterNext sets the pace anew when the next collection is over: the finalizer of what
// nobody holds runs after each.
func (p Pace) afterNext() {
	type mark struct{ _ [16]byte } // of a size that shares no memory with others
	runtime.SetFinalizer(new(mark), func(*mark) {
		debug.SetGCPercent(p.percent(liveHeap()))
		p.afterNext()
	})
}

// percent is the GOGC that has the heap grow to the floor at least.
func (p Pace) percent(live uint64) int {
	if live == 0 || live >= p.Floor {
		return p.Percent
	}
	return max(p.Percent, int((p.Floor-live)*100/live))
}

// liveHeap is what the last collection has left.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
