package relay

import (
	"sync"
	"testing"
	"time"
)

// looks notes when the log is looked at, and is a bell that the test rings.
type looks struct {
	mu   sync.Mutex
	at   []time.Time
	ring chan struct{}
}

// rung is Config.Rung, which is asked before each look.
func (l *looks) rung() (<-chan struct{}, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = append(l.at, time.Now())
	return l.ring, false
}

// rings rings, and returns the number of the look that follows.
func (l *looks) rings() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.ring)
	l.ring = make(chan struct{})
	return len(l.at)
}

// pauses are the times from each look, beginning with the given one, to the next.
func (l *looks) pauses(from int) (pauses []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := from; i+1 < len(l.at); i++ {
		pauses = append(pauses, l.at[i+1].Sub(l.at[i]))
	}
	return pauses
}

func (b *bundle) listening() *looks {
	b.Helper()
	l := &looks{ring: make(chan struct{})}
	cfg := b.config("one")
	cfg.Rung = l.rung
	b.consumeQueue()
	b.awaitState(b.start(cfg), Active)
	return l
}

func TestAnAnnouncedCommitIsLookedForOnce(t *testing.T) {
	b := setup(t)
	l := b.listening()
	const tries = 10 // a timed look may find the row before it is rung
	for range tries {
		b.insert(0, 1)
		look := l.rings()
		b.eventually("another look", func() bool { return len(l.pauses(look)) > 0 })
		if l.pauses(look)[0] >= maxPoll {
			return
		}
	}
	t.Fatalf("after a ring the log is looked at again within %v: %v", maxPoll, l.pauses(0))
}

func TestAfterAnUnannouncedCommitLooksAreCloser(t *testing.T) {
	b := setup(t)
	l := b.listening()
	b.eventually("two looks soon after one another", func() bool {
		look := len(l.pauses(0)) + 1
		b.insert(0, 1)
		b.eventually("some looks", func() bool { return len(l.pauses(look)) > 2 })
		pauses := l.pauses(look)
		return pauses[0] < maxPoll/2 || pauses[1] < maxPoll/2
	})
}
