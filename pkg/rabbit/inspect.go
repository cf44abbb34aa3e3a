package rabbit

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// QueueState is what the broker tells of a queue to whoever asks.
type QueueState struct {
	Name string
	// Exists is false for a queue that is not there; the rest is then zero.
	Exists bool
	// Messages are those that are ready to be delivered.
	Messages  int
	Consumers int
}

// Inspect asks the broker about queues, by passive declarations: it makes none, and needs
// no permission to. Errors are those of [Ping].
func Inspect(ctx context.Context, cfg Config, queues ...string) ([]QueueState, error) {
	states := make([]QueueState, len(queues))
	s, err := open(ctx, cfg, func(s *session) (err error) {
		for i, name := range queues {
			if states[i], err = s.link.inspect(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return states, s.close()
}

// inspect works on a channel of its own: the broker closes that of a passive declaration
// of what is not there.
func (l *link) inspect(name string) (QueueState, error) {
	channel, err := l.Channel()
	if err != nil {
		return QueueState{}, fmt.Errorf("open a channel to look at queue %q: %w", name, err)
	}
	queue, err := channel.QueueDeclarePassive(name, true, false, false, false, nil)
	var reply *amqp.Error
	if errors.As(err, &reply) && reply.Server && reply.Code == amqp.NotFound {
		return QueueState{Name: name}, nil
	}
	if err != nil {
		return QueueState{}, fmt.Errorf("look at queue %q: %w", name, err)
	}
	if err := channel.Close(); err != nil {
		return QueueState{}, fmt.Errorf("close the channel that looked at queue %q: %w", name, err)
	}
	return QueueState{Name: name, Exists: true, Messages: queue.Messages, Consumers: queue.Consumers}, nil
}
