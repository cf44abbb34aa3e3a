package rabbit

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/inbox"
)

// Declare makes sure that the topology exists. Its error Is [inbox.ErrOwned] when a queue of that
// name is another service's, and [ErrDrift] when something exists with other arguments.
func Declare(ctx context.Context, cfg Config, topology Topology) error {
	s, err := open(ctx, cfg, func(s *session) error { return declare(s.link, topology) })
	if err != nil {
		return err
	}
	return s.close()
}

// declare works on a channel of its own, because the broker closes the channel
// of a declaration that it refuses.
func declare(l *link, topology Topology) error {
	channel, err := l.Channel()
	if err != nil {
		return fmt.Errorf("open a channel for the topology: %w", err)
	}
	for _, e := range topology.Exchanges {
		if channel, err = l.declareExchange(channel, e); err != nil {
			return l.exchangeError(e, err)
		}
	}
	for _, q := range topology.Queues {
		if err := declareQueue(channel, q); err != nil {
			return l.queueError(q, err)
		}
	}
	if err := channel.Close(); err != nil {
		return fmt.Errorf("close the channel of the topology: %w", err)
	}
	return nil
}

// declareExchange also accepts an exchange that somebody made without a place for
// unrouted messages: a listener in another language that came first must not stop
// everybody else. It returns the channel to go on with, because the broker closes
// the one on which it refuses.
func (l *link) declareExchange(channel *amqp.Channel, e Exchange) (*amqp.Channel, error) {
	err := channel.ExchangeDeclare(e.Name, e.Kind, true, false, false, false, e.arguments())
	if err == nil || e.Unrouted == "" || !drifted(err) {
		return channel, err
	}
	next, openErr := l.Channel()
	if openErr != nil {
		return nil, openErr
	}
	if next.ExchangeDeclare(e.Name, e.Kind, true, false, false, false, nil) != nil {
		return nil, err // which says what differs
	}
	return next, nil
}

func declareQueue(channel *amqp.Channel, q Queue) error {
	if _, err := channel.QueueDeclare(q.Name, true, false, false, false, q.arguments()); err != nil {
		return err
	}
	for _, b := range q.Bindings {
		if err := channel.QueueBind(q.Name, b.Key, b.Exchange, false, nil); err != nil {
			return fmt.Errorf("bind to exchange %q with key %q: %w", b.Exchange, b.Key, err)
		}
	}
	return nil
}

// exchangeError and queueError say what an operator can do about drift. The
// broker's reply names the argument and both values.
func (l *link) exchangeError(e Exchange, err error) error {
	if !drifted(err) {
		return fmt.Errorf("declare exchange %q: %w", e.Name, err)
	}
	return fmt.Errorf("exchange %q: %w: %w; show it with: rabbitmqctl list_exchanges -p '%s' name type durable arguments",
		e.Name, ErrDrift, err, l.vhost)
}

func (l *link) queueError(q Queue, err error) error {
	if !drifted(err) {
		return fmt.Errorf("declare queue %q: %w", q.Name, err)
	}
	if owner := otherOwner(err); owner != "" {
		return fmt.Errorf("queue %q: %w: its owner's mark is %s, and this service's is %s: two services have one name. "+
			"Name one of them otherwise when its tables are migrated. If the other database is lost and this one takes its place, "+
			"take its mark over: UPDATE saga_service SET id = '%s'", q.Name, inbox.ErrOwned, owner, q.Owner, owner)
	}
	return fmt.Errorf("queue %q: %w: %w; show it with: rabbitmqctl list_queues -p '%s' name type durable arguments messages; "+
		"once it is empty, remove it with: rabbitmqctl delete_queue -p '%s' --if-empty '%s'",
		q.Name, ErrDrift, err, l.vhost, l.vhost, q.Name)
}

// otherOwner is the owner's mark of a queue of which a declaration was refused for its
// owner; empty where it was refused for another reason.
func otherOwner(err error) string {
	var reply *amqp.Error
	if !errors.As(err, &reply) || !strings.Contains(reply.Reason, "'"+ownerArgument+"'") {
		return ""
	}
	_, current, _ := strings.Cut(reply.Reason, "but current")
	return ownerMark.FindString(current)
}

var ownerMark = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func drifted(err error) bool {
	var reply *amqp.Error
	return errors.As(err, &reply) && reply.Server && reply.Code == amqp.PreconditionFailed
}
