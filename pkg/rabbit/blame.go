package rabbit

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/outbox"
)

// blame adds [outbox.ErrFatal] to the end of a publisher's session when one of
// its messages can be the cause. The decision is by the code alone, because texts
// differ from broker to broker.
//
// Not here are the codes that no content of a message brings about: 320 (closed by
// an operator, or the broker goes down), 402 and 405 (about virtual hosts and
// queues), 503 and 504 (the order of methods) and 541 (a fault of the broker's
// own). To blame a message for those would park healthy ones.
func blame(reason error) error {
	var reply *amqp.Error
	if !errors.As(reason, &reply) || !reply.Server {
		return reason
	}
	switch reply.Code {
	case amqp.NotFound: // a publish names nothing else that can be missing
		return fmt.Errorf("%w: %w: %w", outbox.ErrFatal, outbox.ErrNoExchange, reply)
	case amqp.AccessRefused, // no right to write, or an internal exchange
		amqp.PreconditionFailed,        // larger than the broker allows, a property it refuses
		amqp.ContentTooLarge,           // the same in the specification's words
		amqp.NoRoute, amqp.NoConsumers, // raised by exchange types of plugins
		amqp.ResourceError,                // likewise, for what stands behind the exchange
		amqp.NotAllowed,                   // likewise, for a message they refuse
		amqp.NotImplemented,               // an option of the message
		amqp.FrameError, amqp.SyntaxError, // properties or headers it cannot read
		amqp.UnexpectedFrame: // a content that is not as long as announced
		return fmt.Errorf("%w: %w", outbox.ErrFatal, reply)
	default:
		return reason
	}
}
