package rabbit

import (
	"context"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/internal/address"
)

// gate is shut while the broker blocks publishers. The zero value is open.
type gate struct {
	mu     sync.Mutex
	reason string
	opened chan struct{} // closed when the gate opens; nil while it is open
}

// set takes over what the broker said last.
func (g *gate) set(b amqp.Blocking) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reason = address.Scrub(b.Reason)
	if b.Active && g.opened == nil {
		g.opened = make(chan struct{})
	}
	if !b.Active && g.opened != nil {
		close(g.opened)
		g.opened = nil
	}
}

// pass waits until the gate is open, the session has ended or ctx is over.
func (g *gate) pass(ctx context.Context, s *session) error {
	for {
		g.mu.Lock()
		opened := g.opened
		g.mu.Unlock()
		if opened == nil {
			return s.reason()
		}
		select {
		case <-opened:
		case <-s.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := s.reason(); err != nil {
			return err
		}
	}
}

func (g *gate) state() (reason string, blocked bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reason, g.opened != nil
}
