package rabbit

import (
	"context"
	"fmt"
	"math"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/flow"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/inbox/quarantine"
)

// Consumer takes deliveries of one queue in batches, over a connection of its
// own. It implements [inbox.Source] and [inbox.Returning].
//
// One goroutine calls Receive; batches and single deliveries may be acknowledged from
// others, in any order. Done, Err and Close may be called from anywhere.
type Consumer struct {
	cfg     Config
	session *session
	// arrived holds what the library has delivered and nobody has received. Its
	// capacity is the prefetch, which the broker never exceeds, so that filling it
	// does not block.
	arrived chan arrival
	// stirred has one when something has arrived, see heed.
	stirred chan struct{}
	// delivered is closed by the first delivery.
	delivered chan struct{}
	first     sync.Once
	// load belongs to the goroutine that receives, see Receive.
	load flow.Meter

	ack sync.Mutex
	// unacked are the tags that were received and not acknowledged, at most the prefetch.
	unacked map[uint64]bool
}

// arrival is a delivery with its tag. Tags count from 1 without gaps.
type arrival struct {
	tag      uint64
	delivery inbox.Delivery
}

var (
	_ inbox.Source    = (*Consumer)(nil)
	_ inbox.Returning = (*Consumer)(nil)
)

// OpenConsumer declares the queue, sees to the rest of the topology beside, and consumes from one queue, with at most
// prefetch deliveries unacknowledged. ctx and the configured timeouts bound the
// opening, not the session.
func OpenConsumer(ctx context.Context, cfg Config, topology Topology, queue string, prefetch int) (*Consumer, error) {
	return openConsumer(ctx, cfg, topology, which{exchange: none, queue: only(queue)}, queue, prefetch, received)
}

// reading makes a delivery of what the broker delivers from a queue.
type reading func(d *amqp.Delivery, queue string) inbox.Delivery

func openConsumer(ctx context.Context, cfg Config, topology Topology, main which, queue string, prefetch int, read reading) (*Consumer, error) {
	if prefetch < 1 || prefetch > math.MaxUint16 {
		return nil, fmt.Errorf("open a consumer of queue %q: prefetch is %d, want 1 to %d", queue, prefetch, math.MaxUint16)
	}
	c := &Consumer{cfg: cfg, arrived: make(chan arrival, prefetch), stirred: make(chan struct{}, 1), delivered: make(chan struct{}), unacked: make(map[uint64]bool, prefetch)}
	s, err := open(ctx, cfg, func(s *session) error {
		if err := s.establish(topology, main); err != nil {
			return err
		}
		return c.consume(s, queue, prefetch, read)
	})
	if err != nil {
		return nil, fmt.Errorf("open a consumer of queue %q: %w", queue, err)
	}
	c.session = s
	return c, nil
}

func (c *Consumer) consume(s *session, queue string, prefetch int, read reading) error {
	if err := s.channel.Qos(prefetch, 0, false); err != nil {
		return fmt.Errorf("set the prefetch: %w", err)
	}
	cancelled := s.channel.NotifyCancel(make(chan string, 1))
	deliveries, err := s.channel.Consume(queue, c.cfg.Name, false, false, false, false, c.cfg.Lost.precedence(queue))
	if why := c.cfg.Remarks.of("queue " + queue); err != nil && why != nil {
		return fmt.Errorf("consume: %w; %w", err, why)
	}
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	s.background.Go(func() { c.pump(s, queue, read, deliveries, cancelled) })
	s.background.Go(func() { c.heed(s, queue) })
	s.background.Go(func() { c.cfg.Lost.watch(s, queue, c.delivered) })
	return nil
}

// pump moves deliveries into the buffer. The library hands them over one at a
// time through a goroutine of its own, so that taking all that are there without
// waiting would bring one.
//
// When a queue is deleted, or its leader is lost, the broker cancels the consumer
// and leaves the channel open. The session ends then too: nothing would ever
// come again.
func (c *Consumer) pump(s *session, queue string, read reading, deliveries <-chan amqp.Delivery, cancelled <-chan string) {
	for d := range deliveries {
		select {
		case c.arrived <- arrival{d.DeliveryTag, read(&d, queue)}:
			c.first.Do(func() { close(c.delivered) })
			select {
			case c.stirred <- struct{}{}:
			default:
			}
		case <-s.done:
			return
		}
	}
	// The library tells of a cancel before it closes deliveries, and closes both
	// when the channel ends, which the session notices by itself.
	if _, yes := <-cancelled; yes {
		s.fail(fmt.Errorf("the broker cancelled the consumer of queue %q: the queue was deleted or is unavailable", queue))
	}
}

// received keeps what the protocol uses: of the headers those that are strings. The whole
// message stays beside it.
func received(d *amqp.Delivery, queue string) inbox.Delivery {
	headers := make(map[string]string, len(d.Headers))
	for key, value := range d.Headers {
		if text, ok := value.(string); ok {
			headers[key] = text
		}
	}
	return inbox.Delivery{
		MessageID:     d.MessageId,
		CorrelationID: d.CorrelationId,
		Type:          d.Type,
		ReplyTo:       d.ReplyTo,
		ContentType:   d.ContentType, ContentEncoding: d.ContentEncoding,
		AppID:       d.AppId,
		Exchange:    d.Exchange,
		RoutingKey:  d.RoutingKey,
		Queue:       queue,
		Redelivered: d.Redelivered, Timestamp: d.Timestamp,
		Headers:  headers,
		Body:     d.Body,
		Original: originalOf(d),
	}
}

// Return implements [inbox.Returning] with a connection of its own.
func (c *Consumer) Return(ctx context.Context) (quarantine.Session, error) {
	cfg := c.cfg
	cfg.Name += "-quarantine"
	r, err := OpenReturner(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Done is closed when the session has ended.
func (c *Consumer) Done() <-chan struct{} { return c.session.done }

// Err is why the session has ended, nil while it lasts.
func (c *Consumer) Err() error { return c.session.reason() }

// Close ends the session within about two seconds, even when the broker does not
// answer. What is not acknowledged comes again.
func (c *Consumer) Close() error { return c.session.close() }
