package outbox

import "errors"

// What can be said of a published message. Nil is the only yes: stored and
// routed to at least one queue. Any other error than these means that the
// outcome is unknown and the same message has to be published again.
var (
	// ErrUnroutable: the broker returned the message, no queue would take it.
	ErrUnroutable = errors.New("no queue is bound for the message")
	// ErrNacked: the broker refused the message, for example because a queue is full.
	ErrNacked = errors.New("the broker refused the message")
	// ErrUnpublishable: the protocol cannot carry the message, so it was not sent.
	// Trying again gives the same.
	ErrUnpublishable = errors.New("the message can never be published")
	// ErrFatal: the broker ended the session because of a message. It says nothing
	// about the messages that were in flight: one of them is the cause.
	ErrFatal = errors.New("the broker ended the session because of a message")
	// ErrNoExchange comes with ErrFatal when the cause is an exchange that does not
	// exist: each message to it would end a session.
	ErrNoExchange = errors.New("the exchange does not exist")
)
