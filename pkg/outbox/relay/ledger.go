package relay

import (
	"slices"
	"sync"

	"go.example/saga/pkg/outbox/outboxpg"
)

// ledger is what a tenure has done and the database does not know yet. Its methods
// are safe for concurrent use.
type ledger struct {
	mu        sync.Mutex
	open      written
	lastError string
	results   []result
	hurryAt   int
	// changed wakes the keeper, hurry shortens its pause, saved wakes who waits for results.
	changed, hurry, saved chan struct{}
}

// result is a part of the ledger that has been saved.
type result struct {
	written written
	blocked []string
	version int64
}

func newLedger(from outboxpg.Position, window int) *ledger {
	return &ledger{
		open:    written{position: from},
		hurryAt: (window + 1) / 2,
		changed: make(chan struct{}, 1),
		hurry:   make(chan struct{}, 1),
		saved:   make(chan struct{}, 1),
	}
}

// put adds what was done. A step over an empty stretch is saved when the lease is
// renewed: it is worth no write of its own.
func (l *ledger) put(w written) {
	l.mu.Lock()
	l.open.position, l.open.publishedID = w.position, max(l.open.publishedID, w.publishedID)
	l.open.passed += w.passed
	l.open.parked = append(l.open.parked, w.parked...)
	l.open.unparked = append(l.open.unparked, w.unparked...)
	l.open.recovered = append(l.open.recovered, w.recovered...)
	size := l.open.size()
	l.mu.Unlock()
	if w.size() == 0 {
		return
	}
	wake(l.changed)
	if size >= l.hurryAt {
		wake(l.hurry)
	}
}

// size is the number of messages that there is something to write of.
func (w written) size() int { return w.passed + len(w.parked) + len(w.unparked) }

// fail records why the log stands still; the empty reason, that it does not.
func (l *ledger) fail(reason string) {
	l.mu.Lock()
	changed := l.lastError != reason
	l.lastError = reason
	l.mu.Unlock()
	if changed {
		wake(l.changed)
	}
}

// due is what to save now.
func (l *ledger) due() (written, outboxpg.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open, l.open.progress(l.lastError)
}

// settle notes that what was due is saved.
func (l *ledger) settle(w written, saved outboxpg.Saved) {
	l.mu.Lock()
	l.open.passed -= w.passed
	l.open.parked = slices.Clone(l.open.parked[len(w.parked):])
	l.open.unparked = slices.Clone(l.open.unparked[len(w.unparked):])
	l.open.recovered = slices.Clone(l.open.recovered[len(w.recovered):])
	if w.size() > 0 {
		l.results = append(l.results, result{w, saved.Blocked, saved.ParkedVersion})
	}
	l.mu.Unlock()
	wake(l.saved)
}

// collect takes the results since the last time.
func (l *ledger) collect() []result {
	l.mu.Lock()
	defer l.mu.Unlock()
	results := l.results
	l.results = nil
	return results
}

func (l *ledger) position() outboxpg.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open.position
}

// empty says whether the database knows everything.
func (l *ledger) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open.size() == 0
}

// progress words it for the log.
func (w written) progress(lastError string) outboxpg.Progress {
	p := outboxpg.Progress{Position: w.position, PublishedID: w.publishedID, LastError: lastError, Parked: w.parked}
	for _, parked := range w.parked {
		p.Touched = append(p.Touched, parked.Record.AggregateID)
	}
	for _, e := range w.unparked {
		p.Unparked = append(p.Unparked, e.record.Position)
		p.Touched = append(p.Touched, e.record.AggregateID)
	}
	slices.Sort(p.Touched)
	p.Touched = slices.Compact(p.Touched)
	for _, d := range w.recovered {
		if !slices.Contains(p.Recovered, d) {
			p.Recovered = append(p.Recovered, d)
		}
	}
	return p
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
