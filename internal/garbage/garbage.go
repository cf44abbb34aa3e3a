// Package garbage sets the pace of the collector for daemons with little live memory.
package garbage

import "runtime"

// ballastBytes is how much garbage a daemon collects at least before it is looked
// through. Its live memory is some megabytes, and a collector that keeps to a share of
// that runs many times a second under load.
const ballastBytes = 16 << 20

// ballast counts as live memory for the collector's pace. It is never touched, so that
// the operating system gives it no page.
var ballast []byte

// CollectRarely makes the garbage collector wait for at least 16 MiB of garbage at the
// usual GOGC, and for the part of it that a lower GOGC stands for.
func CollectRarely() {
	ballast = make([]byte, ballastBytes)
	runtime.KeepAlive(ballast)
}
