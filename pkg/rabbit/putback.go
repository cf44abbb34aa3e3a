package rabbit

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/outbox"
)

// Returner puts messages that were set aside back into their queues, one after the other,
// with properties, headers and body as they were, through the default exchange: nobody but
// the queue's consumers gets them again. Only exchange and routing key are other ones, which
// are no part of a message. It implements [quarantine.Session]; one goroutine uses it.
type Returner struct {
	cfg      Config
	session  *session // nil before the first and after one that was lost
	returned chan amqp.Return
}

var _ quarantine.Session = (*Returner)(nil)

// OpenReturner opens a session. It declares nothing.
func OpenReturner(ctx context.Context, cfg Config) (*Returner, error) {
	r := &Returner{cfg: cfg}
	return r, r.open(ctx)
}

func (r *Returner) open(ctx context.Context) error {
	r.returned = make(chan amqp.Return, 1) // there is one message at a time
	s, err := open(ctx, r.cfg, func(s *session) error {
		s.channel.NotifyReturn(r.returned)
		return s.channel.Confirm(false)
	})
	if err != nil {
		return fmt.Errorf("open a session to put messages back: %w", err)
	}
	r.session = s
	return nil
}

// PutBack implements [quarantine.Broker]. After an error that is no refusal the message
// may be in its queue or not.
func (r *Returner) PutBack(ctx context.Context, kept quarantine.Original) error {
	message, err := decodeOriginal(kept.Properties, kept.Headers, kept.Body)
	if err != nil {
		return refused(err)
	}
	if err := addressed(message.Headers); err != nil {
		return refused(err)
	}
	if r.session == nil || r.session.reason() != nil {
		if err := errors.Join(r.Close(), r.open(ctx)); err != nil {
			return err
		}
	}
	confirmation, err := r.session.channel.PublishWithDeferredConfirm("", kept.Queue, true, false, amqp.Publishing(*message))
	if err != nil {
		r.session.broken(err)
		return r.lost(message)
	}
	select {
	case <-confirmation.Done():
	case <-r.session.done:
		return r.lost(message)
	case <-ctx.Done():
		// The next message must not take this one's answer for its own.
		return errors.Join(fmt.Errorf("no answer of the broker: %w", context.Cause(ctx)), r.Close())
	}
	// A return comes before the answer. The end of the session closes the channel.
	select {
	case back, came := <-r.returned:
		if came {
			return refused(fmt.Errorf("there is no queue %q (%d %s)", kept.Queue, back.ReplyCode, back.ReplyText))
		}
	default:
	}
	if !confirmation.Acked() {
		if r.session.channel.IsClosed() { // the library calls that a nack
			<-r.session.done
			return r.lost(message)
		}
		return refused(fmt.Errorf("the broker does not take it, for example because queue %q is full", kept.Queue))
	}
	return nil
}

// addressed refuses headers by which the broker would copy the message to other queues.
func addressed(headers amqp.Table) error {
	for _, name := range []string{"CC", "BCC"} {
		if _, found := headers[name]; found {
			return fmt.Errorf("its header %s would have the broker copy it to other queues", name)
		}
	}
	return nil
}

// lost is the end of the session: the message's fault where the broker gives a code that a
// message can cause.
func (r *Returner) lost(message *original) error {
	err := blame(r.session.reason())
	if !errors.Is(err, outbox.ErrFatal) {
		return fmt.Errorf("whether it was put back is unknown: %w", err)
	}
	if message.UserId != "" {
		err = fmt.Errorf("its user_id is %q, which the broker takes from that user and from those with the tag impersonator alone: %w",
			message.UserId, err)
	}
	return refused(err)
}

func refused(err error) error { return fmt.Errorf("%w: %w", quarantine.ErrRefused, err) }

// Close ends the session within about two seconds. It may be called again.
func (r *Returner) Close() error {
	if r.session == nil {
		return nil
	}
	err := r.session.close()
	r.session = nil
	return err
}
