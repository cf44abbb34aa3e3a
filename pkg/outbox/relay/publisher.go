package relay

import (
	"context"

	"go.example/saga/pkg/outbox"
)

// Publisher is one session with the broker.
type Publisher interface {
	// Publish sends the message and returns at once. wait blocks until the broker
	// has answered: nil, or one of the errors of package outbox, or any other
	// error when the session broke and the outcome is unknown. An outbox.ErrFatal is
	// of the latter kind: one of the messages in flight has broken the session. Publish is called
	// by one goroutine; the wait functions are called once each, in the order of
	// publishing, by another. An error of Publish itself means that the message
	// was not sent and that the session, or ctx, is over.
	Publish(ctx context.Context, r *outbox.Record) (wait func(context.Context) error, err error)
	// Blocked reports that the broker takes nothing at present, and why.
	Blocked() (reason string, blocked bool)
	// Done is closed when the session has ended, and then Err says why.
	Done() <-chan struct{}
	Err() error
	// Close ends the session within bounded time.
	Close() error
}
