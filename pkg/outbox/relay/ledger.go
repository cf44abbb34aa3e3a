package relay

import (
	"context"
	"sync"

	"go.example/saga/pkg/outbox/outboxpg"
)

// ledger is the progress of a tenure: what is confirmed, and how much of it the
// database does not know yet. Its methods are safe for concurrent use.
type ledger struct {
	mu       sync.Mutex
	progress outboxpg.Progress
	unsaved  int
	window   int
	// changed wakes the keeper; half hurries it when half a window is unsaved.
	changed, half chan struct{}
	// saved wakes who waits in confirm for room.
	saved chan struct{}
}

func newLedger(from outboxpg.Position, window int) *ledger {
	return &ledger{
		progress: outboxpg.Progress{Position: from},
		window:   window,
		changed:  make(chan struct{}, 1),
		half:     make(chan struct{}, 1),
		saved:    make(chan struct{}, 1),
	}
}

// confirm moves the position behind a confirmed row. It blocks while a window of
// confirmed rows waits to be saved, until ctx is done. One goroutine calls it.
func (l *ledger) confirm(ctx context.Context, p outboxpg.Position, id int64) {
	l.mu.Lock()
	l.progress = outboxpg.Progress{Position: p, PublishedID: id}
	l.unsaved++
	unsaved := l.unsaved
	l.mu.Unlock()
	wake(l.changed)
	if unsaved >= (l.window+1)/2 {
		wake(l.half)
	}
	for unsaved >= l.window {
		select {
		case <-l.saved:
		case <-ctx.Done():
			return
		}
		l.mu.Lock()
		unsaved = l.unsaved
		l.mu.Unlock()
	}
}

// forward moves the position over an empty stretch. It is saved when the lease is
// renewed: worth no write of its own.
func (l *ledger) forward(p outboxpg.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.progress.Position = p
}

// fail records why the log stands still.
func (l *ledger) fail(err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	l.progress.LastError = err.Error()
	l.mu.Unlock()
	wake(l.changed)
}

func (l *ledger) position() outboxpg.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.progress.Position
}

// due is what to save now, and how many rows it covers.
func (l *ledger) due() (outboxpg.Progress, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.progress, l.unsaved
}

// settle notes that rows of what was due are saved.
func (l *ledger) settle(rows int) {
	l.mu.Lock()
	l.unsaved -= rows
	l.mu.Unlock()
	wake(l.saved)
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
