package rabbit

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/outbox"
)

// Publisher publishes with confirms over a connection of its own.
//
// One goroutine calls Publish. One goroutine, the same or another, calls the
// wait functions, in the order of the publishes. Blocked, Done, Err and Close may
// be called from anywhere.
type Publisher struct {
	session  *session
	returned chan amqp.Return
	// slots holds one token for each message that is not settled.
	slots   chan struct{}
	blocked gate
	// builder belongs to the goroutine that publishes.
	builder builder
	// unroutable counts the returns that no wait has claimed. It belongs to the
	// goroutine that waits.
	unroutable map[uuid.UUID]int
}

// OpenPublisher opens a session that keeps at most window messages unsettled. It
// declares the protocol's exchanges, so that a command that no participant's
// queue takes yet comes back as unroutable instead of closing the channel. What takes the
// events that nobody listens to is seen to beside.
// ctx and the configured timeouts bound the opening, not the session.
func OpenPublisher(ctx context.Context, cfg Config, window int) (*Publisher, error) {
	if window < 1 {
		return nil, fmt.Errorf("open a publisher: window is %d, want at least 1", window)
	}
	p := &Publisher{
		slots:      make(chan struct{}, window),
		returned:   make(chan amqp.Return, window),
		unroutable: make(map[uuid.UUID]int),
	}
	s, err := open(ctx, cfg, p.setup)
	if err != nil {
		return nil, fmt.Errorf("open a publisher: %w", err)
	}
	p.session = s
	p.builder = newBuilder(cfg.Name, s.link.Config.FrameSize)
	return p, nil
}

func (p *Publisher) setup(s *session) error {
	if err := s.establish(PublisherTopology(), publishedTo); err != nil {
		return err
	}
	s.channel.NotifyReturn(p.returned)
	blockings := s.link.NotifyBlocked(make(chan amqp.Blocking, 1))
	s.background.Go(func() {
		for b := range blockings {
			p.blocked.set(b)
		}
	})
	if err := s.channel.Confirm(false); err != nil {
		return fmt.Errorf("switch the channel to confirms: %w", err)
	}
	return nil
}

// Publish writes one message and returns what waits for its outcome. It blocks
// while the window is full and while the broker blocks publishers.
//
// An error means that the message was not sent, or only in part, and that the
// session is over (or ctx is): Close it and open another. A message that cannot
// be published at all is no such error, its wait says so.
//
// wait returns nil when the message is stored and routed. Else its error Is
// [outbox.ErrUnroutable], [outbox.ErrNacked] or [outbox.ErrUnpublishable]; with
// any other error the outcome is unknown. A wait whose ctx ended may be called
// again; the message holds its place in the window until it is settled.
//
// When the broker ended the session because of a message, the errors of Publish,
// of each wait without outcome and of Err are [outbox.ErrFatal], for a missing
// exchange [outbox.ErrNoExchange] too. Which message it was they do not say.
func (p *Publisher) Publish(ctx context.Context, record *outbox.Record) (wait func(context.Context) error, err error) {
	message, invalid := p.builder.build(record)
	if invalid != nil {
		invalid = fmt.Errorf("message %s: %w", record.ID, invalid)
		return func(context.Context) error { return invalid }, nil
	}
	if err := p.admit(ctx); err != nil {
		return nil, fmt.Errorf("publish message %s: %w", record.ID, blame(err))
	}
	confirmation, err := p.session.channel.PublishWithDeferredConfirm(
		record.Exchange, record.RoutingKey, true, false, message)
	if err != nil {
		// Half a message may be on the wire, and the library's count of tags no
		// longer agrees with the broker's.
		p.session.broken(err)
		return nil, fmt.Errorf("publish message %s: %w", record.ID, p.Err())
	}
	id := record.ID
	return func(ctx context.Context) error { return p.settle(ctx, id, confirmation) }, nil
}

// admit takes a slot and passes the gate.
func (p *Publisher) admit(ctx context.Context) error {
	select {
	case <-p.session.done:
		return p.session.reason()
	case <-ctx.Done():
		return context.Cause(ctx)
	case p.slots <- struct{}{}:
	}
	if err := p.blocked.pass(ctx, p.session); err != nil {
		<-p.slots
		return err
	}
	return nil
}

// Blocked reports whether the broker has told this connection to stop
// publishing, and its reason, for example low memory or disk.
func (p *Publisher) Blocked() (reason string, blocked bool) { return p.blocked.state() }

// Done is closed when the session has ended.
func (p *Publisher) Done() <-chan struct{} { return p.session.done }

// Err is why the session has ended, nil while it lasts. It Is [outbox.ErrFatal]
// when a message was the cause.
func (p *Publisher) Err() error { return blame(p.session.reason()) }

// Close ends the session within about two seconds, even when the broker does not
// answer. What is unsettled has an unknown outcome.
func (p *Publisher) Close() error { return p.session.close() }
