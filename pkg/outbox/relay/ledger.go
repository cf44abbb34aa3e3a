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
		open:    written{Position: from},
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
	l.open.Add(w)
	size := l.open.Size()
	l.mu.Unlock()
	if w.Size() == 0 {
		return
	}
	wake(l.changed)
	if size >= l.hurryAt {
		wake(l.hurry)
	}
}

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
	return l.open, progress(l.open, l.lastError)
}

// settle notes that what was due is saved.
func (l *ledger) settle(w written, saved outboxpg.Saved) {
	l.mu.Lock()
	l.open.Settle(w)
	if w.Size() > 0 {
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
	return l.open.Position
}

// empty says whether the database knows everything.
func (l *ledger) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open.Size() == 0
}

// progress words it for the log.
func progress(w written, lastError string) outboxpg.Progress {
	p := outboxpg.Progress{
		Position: w.Position, PublishedID: w.PublishedID, LastError: lastError, Touched: w.Touched(), Parked: w.Parkings(),
	}
	for _, e := range w.Unparked {
		p.Unparked = append(p.Unparked, e.Record)
	}
	for _, d := range w.Recovered {
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
