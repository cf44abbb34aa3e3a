package rabbit

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/outbox"
)

// Dialogue sends messages as they are given, also such as break the protocol's rules, and
// hears what comes into a queue of its own. It is for tools that try others: nothing is
// published again, and what is heard is acknowledged at once. One goroutine sends.
type Dialogue struct {
	session  *session
	queue    string
	heard    chan inbox.Delivery
	returned chan amqp.Return
}

// dialogueKept is for how long the queue outlives its dialogue, for answers that come late:
// a relay that has such an answer for a queue that is not there would keep it and wait.
const dialogueKept = 10 * time.Minute

// OpenDialogue makes the queue, which must not be there. The broker deletes it when nobody has consumed it
// for ten minutes.
func OpenDialogue(ctx context.Context, cfg Config, queue string) (*Dialogue, error) {
	d := &Dialogue{queue: queue, heard: make(chan inbox.Delivery), returned: make(chan amqp.Return, 1)}
	s, err := open(ctx, cfg, func(s *session) error {
		arguments := amqp.Table{"x-expires": dialogueKept.Milliseconds()}
		if _, err := s.channel.QueueDeclare(queue, true, false, false, false, arguments); err != nil {
			return fmt.Errorf("declare queue %q: %w", queue, err)
		}
		s.channel.NotifyReturn(d.returned)
		if err := s.channel.Confirm(false); err != nil {
			return fmt.Errorf("switch the channel to confirms: %w", err)
		}
		deliveries, err := s.channel.Consume(queue, cfg.Name, true, false, false, false, nil)
		if err != nil {
			return fmt.Errorf("consume queue %q: %w", queue, err)
		}
		s.background.Go(func() {
			for m := range deliveries {
				select {
				case d.heard <- received(&m, queue):
				case <-s.done:
				}
			}
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("open a dialogue: %w", err)
	}
	d.session = s
	return d, nil
}

// Heard gives what came into the queue.
func (d *Dialogue) Heard() <-chan inbox.Delivery { return d.heard }

// Done is closed when the session has ended.
func (d *Dialogue) Done() <-chan struct{} { return d.session.done }

// Err is why the session has ended, nil while it lasts.
func (d *Dialogue) Err() error { return blame(d.session.reason()) }

// Send publishes a message to its exchange and waits until the broker has it. An error that
// Is [outbox.ErrUnroutable] says that no queue takes it.
func (d *Dialogue) Send(ctx context.Context, m inbox.Delivery) error {
	headers := make(amqp.Table, len(m.Headers))
	for name, value := range m.Headers {
		headers[name] = value
	}
	confirmation, err := d.session.channel.PublishWithDeferredConfirm(m.Exchange, m.RoutingKey, true, false, amqp.Publishing{
		Headers: headers, ContentType: m.ContentType, ContentEncoding: m.ContentEncoding, DeliveryMode: amqp.Persistent,
		CorrelationId: m.CorrelationID, ReplyTo: m.ReplyTo, MessageId: m.MessageID, Timestamp: time.Now(), Type: m.Type, AppId: m.AppID, Body: m.Body,
	})
	if err != nil {
		d.session.broken(err)
		return fmt.Errorf("send a message: %w", d.Err())
	}
	select {
	case <-confirmation.Done():
	case <-d.session.done:
		return fmt.Errorf("send a message: %w", d.Err())
	case <-ctx.Done():
		return fmt.Errorf("send a message: no answer of the broker: %w", context.Cause(ctx))
	}
	select { // a return comes before the confirm
	case back, came := <-d.returned:
		if came {
			return fmt.Errorf("exchange %q, routing key %q: %w (%d %s)", m.Exchange, m.RoutingKey, outbox.ErrUnroutable, back.ReplyCode, back.ReplyText)
		}
	default:
	}
	if !confirmation.Acked() {
		if d.session.channel.IsClosed() { // the library calls that a nack
			<-d.session.done
			return fmt.Errorf("send a message: %w", d.Err())
		}
		return fmt.Errorf("exchange %q, routing key %q: %w", m.Exchange, m.RoutingKey, outbox.ErrNacked)
	}
	return nil
}

// Close ends the session. With the queue kept, the broker deletes it later; else it is
// deleted now, and answers that come later have no place to go.
func (d *Dialogue) Close(keep bool) error {
	var err error
	if !keep && d.session.reason() == nil {
		_, err = d.session.channel.QueueDelete(d.queue, false, false, false)
		if err != nil {
			err = fmt.Errorf("delete queue %q, which the broker does by itself later: %w", d.queue, err)
		}
	}
	return errors.Join(err, d.session.close())
}
