package lab

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Kind of a queue.
type Kind string

// The kinds that are measured.
const (
	Classic Kind = "classic"
	Quorum  Kind = "quorum"
)

// Queue is a durable queue that exists for one measurement, with a
// channel to it.
type Queue struct {
	Name string

	conn    *amqp.Connection
	channel *amqp.Channel
}

// Queue makes a new queue on a connection of its own.
func (l *Lab) Queue(kind Kind) (*Queue, error) {
	conn, err := amqp.Dial(l.AMQP)
	if err != nil {
		return nil, fmt.Errorf("connect to the broker: %w", err)
	}
	q := &Queue{Name: newName(), conn: conn}
	q.channel, err = conn.Channel()
	if err == nil {
		_, err = q.channel.QueueDeclare(q.Name, true, false, false, false, amqp.Table{amqp.QueueTypeArg: string(kind)})
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("make a %s queue: %w", kind, err)
	}
	return q, nil
}

// Consume delivers what arrives, acknowledged by itself.
func (q *Queue) Consume() (<-chan amqp.Delivery, error) {
	deliveries, err := q.channel.Consume(q.Name, "", true, false, false, false, nil)
	if err != nil {
		return nil, fmt.Errorf("consume: %w", err)
	}
	return deliveries, nil
}

// Delete deletes the queue with all that is in it.
func (q *Queue) Delete() error {
	defer func() { _ = q.conn.Close() }()
	if _, err := q.channel.QueueDelete(q.Name, false, false, false); err != nil {
		return fmt.Errorf("delete a queue: %w", err)
	}
	return nil
}
