package httpcall

import (
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// failuresToOpen is how many failures in a row open a host's circuit.
	failuresToOpen = 5
	// firstOpen and longestOpen bound for how long it is open.
	firstOpen, longestOpen = time.Second, 30 * time.Second
	// usualCall is how long a call is taken to last before one has ended.
	usualCall = 50 * time.Millisecond
)

// host is what is known of one origin: who is with it, and whether it answers. Its
// methods are safe for concurrent use.
type host struct {
	limit int

	mu    sync.Mutex
	calls int           // under way
	lasts time.Duration // how long calls took of late
	next  time.Time     // the place in time of who has to wait next
	// failures counts those in a row; from open until then the host is left alone, and then
	// one call, the probe, tries it.
	failures int
	until    time.Time
	why      string
	probing  bool
}

// enter makes room for a call. Where there is none, it says for how long to wait, and why
// where the host is left alone.
func (h *host) enter(now time.Time) (ok bool, wait time.Duration, why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.failures >= failuresToOpen && (h.probing || now.Before(h.until)):
		return false, max(h.until.Sub(now), firstOpen) + time.Duration(rand.Int64N(int64(firstOpen))), h.why // #nosec G404 -- no secret
	case h.calls >= h.limit:
		return false, h.place(now), ""
	}
	h.probing = h.failures >= failuresToOpen
	h.calls++
	return true, 0, ""
}

// place is for how long the next one waits that there is no room for.
func (h *host) place(now time.Time) time.Duration {
	lasts := h.lasts
	if lasts == 0 {
		lasts = usualCall
	}
	if h.next.Before(now) {
		h.next = now
	}
	h.next = h.next.Add(lasts / time.Duration(h.limit))
	return max(h.next.Sub(now), lasts/2)
}

// leave says how a call went: why is empty where the host has answered, and pause is for
// how long it asked to be left alone.
func (h *host) leave(began, now time.Time, why string, pause time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls--
	h.probing = false
	const weight = 8
	if took := now.Sub(began); h.lasts == 0 {
		h.lasts = took
	} else {
		h.lasts += (took - h.lasts) / weight
	}
	if why == "" {
		h.failures = 0
		return
	}
	h.failures++
	h.why = why
	open := longestOpen
	if doublings := h.failures - failuresToOpen; doublings < 5 {
		open = firstOpen << max(doublings, 0)
	}
	if until := now.Add(max(open, pause)); until.After(h.until) {
		h.until = until
	}
}

// abandon gives the room back of a call that was broken off here.
func (h *host) abandon() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls--
	h.probing = false
}
