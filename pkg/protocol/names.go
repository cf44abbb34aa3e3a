package protocol

// Names on the broker. They are part of the protocol, not configuration: a
// participant in another language relies on them. A virtual host separates
// environments.
const (
	// ExchangeCommands is the topic exchange of commands; the routing key is the
	// step's destination.
	ExchangeCommands = "saga.commands"
	// ExchangeEvents is the topic exchange of events; a saga's own end is
	// "<saga type>.<completed|aborted|parked|killed>".
	ExchangeEvents = "saga.events"
	// ExchangeDead and QueueDead take what a queue gave up delivering.
	ExchangeDead = "saga.dead"
	QueueDead    = "saga.dead"
	// ExchangeUnheard and QueueUnheard keep the events that nobody listens to,
	// the newest 100,000.
	ExchangeUnheard = "saga.unheard"
	QueueUnheard    = "saga.unheard"
	// QueueReplies is the queue of replies when a definition names no other.
	QueueReplies = "saga.replies"
)

// Application headers, besides the CloudEvents attributes that the relay adds
// from the outbox row (cloudEvents_id, _source, _specversion, _type). All values
// are strings of at most 255 bytes.
const (
	HeaderSagaID      = "cloudEvents_sagaid"
	HeaderSagaType    = "cloudEvents_sagatype"
	HeaderSagaStep    = "cloudEvents_sagastep"
	HeaderSagaOp      = "cloudEvents_sagaop"
	HeaderSagaAttempt = "cloudEvents_sagaattempt"
	// HeaderSagaKey is "<saga>/<step>/<op>": the same over all attempts, the key
	// of the participant's barrier.
	HeaderSagaKey     = "cloudEvents_sagakey"
	HeaderSagaOutcome = "cloudEvents_sagaoutcome"
)

// CommandQueue is the queue that serves a destination.
func CommandQueue(destination string) string { return "saga.command." + destination }
