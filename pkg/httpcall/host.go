package httpcall

import (
	"context"
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
	// queues is how many calls may wait here for each that is under way.
	queues = 16
)

// host is what is known of one origin: who is with it, and whether it answers. Its
// methods are safe for concurrent use.
type host struct {
	turns chan struct{} // one for each call under way; those who wait are served in order

	mu     sync.Mutex
	inside int           // calls under way and waiting
	lasts  time.Duration // how long the last calls took, a moving average
	next   time.Time     // when the next message that found no room comes back
	// failures counts those in a row. From five on the host is left alone until then, and
	// after that one call, the probe, tries it.
	failures int
	until    time.Time
	why      string
	probing  bool
}

func newHost(limit int) *host { return &host{turns: make(chan struct{}, limit)} }

// refusal says for how long not to come, and why where the host is left alone.
type refusal struct {
	wait time.Duration
	why  string
}

// enter lets a call in, or not. A probe is the one that tries a host that was left alone.
func (h *host) enter(now time.Time) (probe bool, no *refusal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	open := h.failures >= failuresToOpen
	switch {
	case open && (h.probing || now.Before(h.until)):
		return false, h.alone(now)
	case h.inside >= (queues+1)*cap(h.turns):
		return false, &refusal{wait: h.place(now)}
	}
	h.inside++
	h.probing = open
	return open, nil
}

// turn waits until the call may begin. It says no where the host has come to be left alone
// meanwhile, or ctx has ended; then the call has left.
func (h *host) turn(ctx context.Context, probe bool) *refusal {
	select {
	case h.turns <- struct{}{}:
	case <-ctx.Done():
		h.quit(probe)
		return &refusal{}
	}
	h.mu.Lock()
	no := (*refusal)(nil)
	if h.failures >= failuresToOpen && !probe {
		no = h.alone(time.Now())
	}
	h.mu.Unlock()
	if no != nil {
		<-h.turns
		h.quit(probe)
	}
	return no
}

func (h *host) alone(now time.Time) *refusal {
	spread := time.Duration(rand.Int64N(int64(firstOpen))) // #nosec G404 -- no secret
	return &refusal{wait: max(h.until.Sub(now), firstOpen) + spread, why: h.why}
}

// place is for how long the next one stays away for whom there is no room.
func (h *host) place(now time.Time) time.Duration {
	lasts := h.lasts
	if lasts == 0 {
		lasts = usualCall
	}
	limit := time.Duration(cap(h.turns))
	if full := now.Add(queues * lasts); h.next.Before(full) {
		h.next = full // those who wait come first
	}
	h.next = h.next.Add(lasts / limit)
	return h.next.Sub(now)
}

// leave says how a call went: why is empty where the host has answered, and pause is for
// how long it asked to be left alone.
func (h *host) leave(took time.Duration, now time.Time, probe bool, why string, pause time.Duration) {
	<-h.turns
	h.quit(probe)
	h.mu.Lock()
	defer h.mu.Unlock()
	const weight = 8
	if h.lasts == 0 {
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

// abandon gives the turn of a call back that was broken off here.
func (h *host) abandon(probe bool) {
	<-h.turns
	h.quit(probe)
}

func (h *host) quit(probe bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inside--
	if probe {
		h.probing = false
	}
}
