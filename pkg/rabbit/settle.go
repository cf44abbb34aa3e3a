package rabbit

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/outbox"
)

// settle waits for the broker's word on one message.
func (p *Publisher) settle(ctx context.Context, id uuid.UUID, confirmation *amqp.DeferredConfirmation) error {
	heard := true
	select {
	case <-confirmation.Done():
	case <-p.session.done:
		heard = isClosed(confirmation.Done())
	case <-ctx.Done():
		return fmt.Errorf("outcome of message %s is unknown: %w", id, context.Cause(ctx))
	}
	p.collect()
	<-p.slots
	switch {
	case p.claim(id):
		return fmt.Errorf("message %s: %w", id, outbox.ErrUnroutable)
	case confirmation.Acked():
		return nil
	case heard && !p.session.channel.IsClosed():
		return fmt.Errorf("message %s: %w", id, outbox.ErrNacked)
	default:
		// The library reports the end of a channel as a nack of all that is
		// unconfirmed, after it has marked the channel closed.
		<-p.session.done
		return fmt.Errorf("outcome of message %s is unknown: %w", id, p.Err())
	}
}

// collect takes all returns that have arrived. A return is in the buffer before
// the confirm of its message is seen, because the broker sends it first and the
// library reads in order.
func (p *Publisher) collect() {
	for {
		select {
		case r, open := <-p.returned:
			if !open {
				return
			}
			if id, err := uuid.Parse(r.MessageId); err == nil {
				p.unroutable[id]++
			}
			if r.Exchange == events.Name {
				p.session.keeper.nudge() // what takes events that nobody listens to is not there
			}
		default:
			return
		}
	}
}

// claim reports whether a message was returned, and forgets the return.
func (p *Publisher) claim(id uuid.UUID) bool {
	n := p.unroutable[id]
	if n > 1 {
		p.unroutable[id] = n - 1
	} else if n == 1 {
		delete(p.unroutable, id)
	}
	return n > 0
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
