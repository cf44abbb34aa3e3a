package rabbit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// lookTimeout bounds one look at any number of queues, the login apart.
const lookTimeout = 5 * time.Second

// Lookout asks the broker about queues again and again. It has a connection of its own,
// which is opened by the first look and by the next one after it was lost. It is safe for
// concurrent use; looks follow one another.
type Lookout struct {
	// Config says how to reach the broker.
	Config Config

	mu      sync.Mutex
	session *session
}

// Look is [Inspect] on the lookout's connection. A queue that the broker refuses to speak
// of, because it is another connection's own, is left out. The call may be repeated after
// any error.
func (l *Lookout) Look(ctx context.Context, queues ...string) ([]QueueState, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.connect(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lookTimeout, fmt.Errorf("%w: no answer within %s", ErrUnreachable, lookTimeout))
	defer cancel()
	states := make([]QueueState, 0, len(queues))
	err := l.session.link.within(ctx, func() error {
		for _, name := range queues {
			state, err := l.session.link.inspect(name)
			if unspoken(err) {
				continue
			}
			if err != nil {
				return err
			}
			states = append(states, state)
		}
		return nil
	})
	if err != nil {
		_ = l.session.close() // it is of no use any more
		l.session = nil
		return nil, setupError(err)
	}
	return states, nil
}

func (l *Lookout) connect(ctx context.Context) (err error) {
	if l.session != nil && l.session.reason() == nil {
		return nil
	}
	if l.session != nil {
		_ = l.session.close()
		l.session = nil
	}
	l.session, err = open(ctx, l.Config, func(*session) error { return nil })
	return err
}

// unspoken says that the broker knows the question and does not answer it. It has closed
// the channel, and nothing else.
func unspoken(err error) bool {
	var reply *amqp.Error
	return errors.As(err, &reply) && reply.Server && (reply.Code == amqp.ResourceLocked || reply.Code == amqp.AccessRefused)
}

// Close ends the connection. The next look opens another.
func (l *Lookout) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session == nil {
		return nil
	}
	err := l.session.close()
	l.session = nil
	return err
}
