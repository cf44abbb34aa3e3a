package rabbit

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/internal/address"
)

// Why a session could not be opened. The first two need a change of settings or
// of the broker before a retry can succeed; still retry, slowly, because that
// change may come while the process runs.
var (
	// ErrURL: Config.URL gave nothing that can be used. The URL is not repeated
	// here, it holds a password.
	ErrURL = errors.New("the broker's URL is not usable: want amqp://user:password@host:port/vhost " +
		"with reserved characters percent-encoded")
	// ErrDenied: the broker is there and refuses the login, the virtual host or a
	// permission in it.
	ErrDenied = errors.New("the broker denies access")
	// ErrUnreachable: no broker answered in time, or the connection broke.
	ErrUnreachable = errors.New("the broker is unreachable")
	// ErrDrift: an exchange or queue exists with other arguments than declared.
	ErrDrift = errors.New("the broker's topology differs from the declared one")
	// ErrMissing: an exchange or queue is not there, and the user of the broker has no right to
	// make it. The error has the command that does.
	ErrMissing = errors.New("is not there and may not be made")
	// ErrUnanswered: the broker lets a request lie that others would not have to wait for.
	ErrUnanswered = errors.New("no answer of the broker")
)

// ErrClosed is why a session ended that its owner closed.
var ErrClosed = errors.New("the session was closed")

// dialError puts a failed dial under one of the errors above.
func dialError(err error) error {
	err = address.ScrubError(err)
	var reply *amqp.Error
	if errors.As(err, &reply) && (reply.Server || errors.Is(reply, amqp.ErrSASL)) {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// setupError does the same for what follows the login. Other refusals by the
// broker stay as they are.
func setupError(err error) error {
	err = address.ScrubError(err)
	var reply *amqp.Error
	switch {
	case !errors.As(err, &reply):
		return err
	case !reply.Server:
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	case reply.Code == amqp.AccessRefused:
		return fmt.Errorf("%w: %w", ErrDenied, err)
	default:
		return err
	}
}

// endError words why the library reports the end of a channel.
func endError(reply *amqp.Error) error {
	if reply != nil {
		scrubbed := *reply
		scrubbed.Reason = address.Scrub(reply.Reason)
		reply = &scrubbed
	}
	switch {
	case reply == nil:
		return ErrClosed
	case reply.Server:
		return fmt.Errorf("the broker ended the session: %w", reply)
	default:
		return fmt.Errorf("the connection to the broker is lost: %w", reply)
	}
}
