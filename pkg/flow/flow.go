// Package flow measures how fast messages come, of late: for who gathers more of them
// under load, and waits for nobody without.
package flow

import (
	"math"
	"time"
)

// memory is how far back it looks: what is older than that has lost most of its weight.
const memory = 100 * time.Millisecond

// Meter is a rate with an exponentially fading memory. The zero value has seen nothing.
// It is not safe for concurrent use.
type Meter struct {
	rate float64
	at   time.Time
}

// Saw counts n messages that have come since the last time.
func (m *Meter) Saw(n int, now time.Time) {
	if m.at.IsZero() {
		m.at = now // since when these have come is not known
		return
	}
	passed := max(now.Sub(m.at), time.Microsecond).Seconds()
	m.at = now
	keep := math.Exp(-passed / memory.Seconds())
	m.rate = keep*m.rate + (1-keep)*float64(n)/passed
}

// PerSecond is the rate at the last count.
func (m *Meter) PerSecond() float64 { return m.rate }
