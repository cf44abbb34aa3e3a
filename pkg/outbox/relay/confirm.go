package relay

import (
	"context"
	"sync"
	"time"
)

// answer is what the broker said to a message; an error that is no verdict says
// that the session is over and the outcome unknown.
type answer struct {
	entry *entry
	err   error
	span  span
	alone bool // it was sent on a session of its own
}

// mailbox gathers what goroutines tell the loop: a window of answers is taken with one
// wake-up.
type mailbox[T any] struct {
	mu      sync.Mutex
	list    []T
	arrived chan struct{}
}

func (m *mailbox[T]) add(one T) {
	m.mu.Lock()
	m.list = append(m.list, one)
	m.mu.Unlock()
	wake(m.arrived)
}

func (m *mailbox[T]) collect() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := m.list
	m.list = nil
	return list
}

// confirm waits for the broker's answers in the order of sending.
func (s *stream) confirm() {
	for it := range s.flight {
		s.answers.add(answer{entry: it.entry, err: s.await(s.ctx, it.wait), span: it.span})
	}
}

// await waits for one confirm under the eyes of watch.
func (h *hold) await(ctx context.Context, wait func(context.Context) error) error {
	h.waiting.Store(time.Now().UnixNano())
	defer h.waiting.Store(0)
	err := wait(ctx)
	if err == nil || reasonOf(err) != "" {
		h.heard()
	}
	return err
}
