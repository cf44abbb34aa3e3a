package rabbit

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Existing names the exchanges and queues of the topology that are there,
// whatever their arguments. It changes nothing.
func Existing(ctx context.Context, cfg Config, topology Topology) ([]string, error) {
	var names []string
	s, err := open(ctx, cfg, func(s *session) error {
		for _, e := range topology.Exchanges {
			_, found, err := s.link.look(func(c *amqp.Channel) (amqp.Queue, error) {
				return amqp.Queue{}, c.ExchangeDeclarePassive(e.Name, e.Kind, true, false, false, false, nil)
			})
			if err != nil {
				return fmt.Errorf("look for exchange %q: %w", e.Name, err)
			}
			if found {
				names = append(names, "exchange "+e.Name)
			}
		}
		for _, q := range topology.Queues {
			_, found, err := s.link.lookForQueue(q)
			if err != nil {
				return err
			}
			if found {
				names = append(names, "queue "+q.Name)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return names, s.close()
}

// Undeclare deletes the topology's queues with all messages in them, and its
// exchanges. A queue that somebody consumes and an exchange that another queue is
// bound to stay, and the error names them; so it may be called again. What is not
// there is no error.
func Undeclare(ctx context.Context, cfg Config, topology Topology) error {
	s, err := open(ctx, cfg, func(s *session) error {
		var errs []error
		for _, q := range topology.Queues {
			errs = append(errs, s.link.undeclareQueue(q))
		}
		for _, e := range topology.Exchanges {
			_, _, err := s.link.look(func(c *amqp.Channel) (amqp.Queue, error) {
				return amqp.Queue{}, c.ExchangeDelete(e.Name, true, false)
			})
			if err != nil {
				errs = append(errs, fmt.Errorf("delete exchange %q: %w", e.Name, err))
			}
		}
		return errors.Join(errs...)
	})
	if err != nil {
		return err
	}
	return s.close()
}

// undeclareQueue looks before it deletes: quorum queues do not know if-unused.
func (l *link) undeclareQueue(q Queue) error {
	found, exists, err := l.lookForQueue(q)
	if err != nil || !exists {
		return err
	}
	if found.Consumers > 0 {
		return fmt.Errorf("queue %q has %d consumers, so it stays", q.Name, found.Consumers)
	}
	_, _, err = l.look(func(c *amqp.Channel) (amqp.Queue, error) {
		_, err := c.QueueDelete(q.Name, false, false, false)
		return amqp.Queue{}, err
	})
	if err != nil {
		return fmt.Errorf("delete queue %q: %w", q.Name, err)
	}
	return nil
}

func (l *link) lookForQueue(q Queue) (found amqp.Queue, exists bool, err error) {
	found, exists, err = l.look(func(c *amqp.Channel) (amqp.Queue, error) {
		return c.QueueDeclarePassive(q.Name, true, false, false, false, nil)
	})
	if err != nil {
		return found, false, fmt.Errorf("look for queue %q: %w", q.Name, err)
	}
	return found, exists, nil
}

// look makes one call on a channel of its own, because the broker closes the
// channel of a call that it refuses. That something is not there is no error.
func (l *link) look(call func(*amqp.Channel) (amqp.Queue, error)) (found amqp.Queue, exists bool, err error) {
	channel, err := l.Channel()
	if err != nil {
		return found, false, fmt.Errorf("open a channel: %w", err)
	}
	defer func() { _ = channel.Close() }() // after a refusal it is closed already
	found, err = call(channel)
	var reply *amqp.Error
	if errors.As(err, &reply) && reply.Server && reply.Code == amqp.NotFound {
		return found, false, nil
	}
	return found, err == nil, err
}
