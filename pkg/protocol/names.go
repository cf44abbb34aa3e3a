package protocol

// Names on the broker. They are part of the protocol, not configuration: a
// participant in another language relies on them. A virtual host separates
// environments.
const (
	// ExchangeCommands is the topic exchange of commands; the routing key is the name of
	// the participant's service.
	ExchangeCommands = "saga.commands"
	// ExchangeEvents is the topic exchange of events; a saga's own end is
	// "<service>.<saga type>.<completed|aborted|parked|killed>", a fact "<service>.<its type>".
	ExchangeEvents = "saga.events"
	// ExchangeHTTP is the exchange of commands that a relay carries by HTTP; the routing key is
	// the URL. The broker has none of that name.
	ExchangeHTTP = "saga.http"
	// ExchangeWebhook is the exchange of what a relay tells a webhook by HTTP; the routing key
	// is the webhook's name. The broker has none of that name either.
	ExchangeWebhook = "saga.webhook"
	// ExchangeDead is the direct exchange of what a queue gave up delivering; the routing
	// key is the id of the queue's owner.
	ExchangeDead = "saga.dead"
	// ExchangeUnheard and QueueUnheard keep the events that nobody listens to,
	// the newest 100,000.
	ExchangeUnheard = "saga.unheard"
	QueueUnheard    = "saga.unheard"
)

// CommandQueue is the queue of the commands for a service.
func CommandQueue(service string) string { return "saga.command." + service }

// ReplyQueue is the queue of the answers to a service's sagas.
func ReplyQueue(service string) string { return "saga.replies." + service }

// EventQueue is the queue of the events that a service hears, unless it names another.
func EventQueue(service string) string { return "saga.events." + service }

// WatchQueue is the queue of the facts that the service's watcher hears.
func WatchQueue(service string) string { return "saga.watch." + service }

// DeadQueue is the queue of what the service's other queues gave up delivering.
func DeadQueue(service string) string { return "saga.dead." + service }

// Application headers, besides the CloudEvents attributes that the relay adds
// from the outbox row (cloudEvents_id, _source, _specversion, _type). All values
// are strings of at most 255 bytes.
const (
	// HeaderService and HeaderSubject say of a fact where it happened, and to what.
	HeaderService     = "cloudEvents_sagaservice"
	HeaderSubject     = "cloudEvents_subject"
	HeaderSagaID      = "cloudEvents_sagaid"
	HeaderSagaType    = "cloudEvents_sagatype"
	HeaderSagaStep    = "cloudEvents_sagastep"
	HeaderSagaOp      = "cloudEvents_sagaop"
	HeaderSagaAttempt = "cloudEvents_sagaattempt"
	// HeaderSagaKey is "<saga>/<step>/<op>": the same over all attempts, the key
	// of the participant's barrier.
	HeaderSagaKey     = "cloudEvents_sagakey"
	HeaderSagaOutcome = "cloudEvents_sagaoutcome"
	// HeaderSagaTimeout is for how many seconds the attempt may stay unanswered. Commands that
	// are carried by HTTP have it.
	HeaderSagaTimeout = "cloudEvents_sagatimeout"
)
