package lab

import (
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// prefetch is how many messages a reader has unacknowledged at most.
	prefetch = 2000
	// ackEvery is how many it acknowledges at once while there are more.
	ackEvery = 200
	// consumerTag names the consumer on its channel.
	consumerTag = "reader"
)

// Reader takes the messages from a queue as they come and acknowledges them, as a
// consumer that keeps up does.
type Reader struct {
	channel *amqp.Channel
	ended   chan struct{}

	mu    sync.Mutex
	count int
	first amqp.Delivery
	err   error // why it has ended
}

// Read begins to read. To be closed.
func (q *Queue) Read() (*Reader, error) {
	channel, err := q.conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open a channel to read: %w", err)
	}
	r := &Reader{channel: channel, ended: make(chan struct{})}
	if err := channel.Qos(prefetch, 0, false); err != nil {
		return nil, fmt.Errorf("set the prefetch: %w", err)
	}
	deliveries, err := channel.Consume(q.Name, consumerTag, false, false, false, false, nil)
	if err != nil {
		return nil, fmt.Errorf("consume: %w", err)
	}
	go r.run(deliveries)
	return r, nil
}

func (r *Reader) run(deliveries <-chan amqp.Delivery) {
	defer close(r.ended)
	unacknowledged := 0
	for delivery := range deliveries {
		unacknowledged++
		var err error
		if unacknowledged >= ackEvery || len(deliveries) == 0 {
			unacknowledged = 0
			err = delivery.Ack(true)
		}
		r.mu.Lock()
		if r.count++; r.count == 1 {
			r.first = delivery
		}
		r.err = err
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Count is how many messages have come, and why no more will.
func (r *Reader) Count() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.count, fmt.Errorf("read the queue: %w", r.err)
	}
	return r.count, nil
}

// First is the message that came first, the zero value before.
func (r *Reader) First() amqp.Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first
}

// Close ends it. What has come is acknowledged first: an acknowledgement on a
// channel that is being closed would end the whole connection.
func (r *Reader) Close() error {
	err := r.channel.Cancel(consumerTag, false)
	if err == nil {
		<-r.ended
	}
	return errors.Join(err, r.channel.Close())
}
