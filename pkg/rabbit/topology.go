package rabbit

import (
	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/protocol"
	sagasql "go.example/saga/sql"
)

// Topology is what a session has to do with on the broker. Declaring it again changes nothing.
type Topology struct {
	Exchanges []Exchange
	Queues    []Queue
}

// Exchange is durable.
type Exchange struct {
	Name string
	Kind string // topic, fanout, …
	// Unrouted is the exchange that takes what no binding matches. Empty: such
	// messages are returned to a publisher that asks for it.
	Unrouted string
}

// Queue is a quorum queue.
type Queue struct {
	Name string
	// DeliveryLimit is how often a message may come back undone, by a lost
	// consumer or a nack, before it leaves the queue.
	DeliveryLimit int
	// DeadLetter is the exchange that takes what leaves the queue undone. Empty:
	// such messages are dropped.
	DeadLetter string
	// Owner is the id of the service that the queue belongs to, and the routing key of what
	// goes to DeadLetter. The broker compares it each time that the queue is declared.
	Owner uuid.UUID
	// MaxLength bounds the queue by dropping its oldest messages; 0 is unbounded.
	MaxLength int
	Bindings  []Binding
}

// Binding routes messages of an exchange to the queue.
type Binding struct {
	Exchange string
	Key      string
}

const (
	// workDeliveryLimit is stated because the default depends on the broker's
	// version: none before RabbitMQ 4.0, 20 since. It is generous, because a
	// session that ends for any reason counts against each delivery it held: a
	// consumer whose circuit is open probes in a new session every ten seconds, which
	// must not send healthy messages to the dead letters within eleven days. Bad
	// messages are not left to this limit, the engines deal with them.
	workDeliveryLimit = 100_000
	// deadDeliveryLimit is as good as none: nothing may leave the last queue but
	// by an operator's hand.
	deadDeliveryLimit = 1 << 30
	// unheardLength bounds what is kept of events that nobody listens to.
	unheardLength = 100_000
)

var (
	commands = Exchange{Name: protocol.ExchangeCommands, Kind: amqp.ExchangeTopic}
	dead     = Exchange{Name: protocol.ExchangeDead, Kind: amqp.ExchangeDirect}
	unheard  = Exchange{Name: protocol.ExchangeUnheard, Kind: amqp.ExchangeFanout}
	// An event may have no listener, and must then not hold up the outbox as a
	// command without its participant does. It is kept aside instead.
	events = Exchange{Name: protocol.ExchangeEvents, Kind: amqp.ExchangeTopic, Unrouted: protocol.ExchangeUnheard}

	aside = Queue{
		Name:          protocol.QueueUnheard,
		DeliveryLimit: deadDeliveryLimit,
		MaxLength:     unheardLength,
		Bindings:      []Binding{{Exchange: protocol.ExchangeUnheard}},
	}
)

// PublisherTopology is a publisher's: the exchanges that messages go to, and what takes the events
// that nobody listens to.
func PublisherTopology() Topology {
	return Topology{Exchanges: []Exchange{commands, events, unheard}, Queues: []Queue{aside}}
}

// publishedTo are the exchanges without which a publisher is of no use.
var publishedTo = which{exchange: only(protocol.ExchangeCommands, protocol.ExchangeEvents), queue: none}

// CommandTopology is a participant's: the queue of the commands for its service.
func CommandTopology(owner sagasql.Service) Topology {
	return Topology{Exchanges: []Exchange{commands, dead}}.
		with(owner, protocol.CommandQueue(owner.Name), Binding{protocol.ExchangeCommands, owner.Name})
}

// ReplyTopology is an orchestrator's: the queue of the answers to its service's sagas.
// They come through the default exchange, so it has no bindings.
func ReplyTopology(owner sagasql.Service) Topology {
	return Topology{Exchanges: []Exchange{dead}}.with(owner, protocol.ReplyQueue(owner.Name))
}

// EventTopology is a listener's: a queue of the events whose routing keys match one of
// the patterns, for example "reservation.room-reservation.*". [protocol.EventQueue] is a
// name for the queue where the service has one listener.
func EventTopology(owner sagasql.Service, queue string, patterns ...string) Topology {
	bindings := make([]Binding, len(patterns))
	for i, p := range patterns {
		bindings[i] = Binding{protocol.ExchangeEvents, p}
	}
	return Topology{Exchanges: []Exchange{events, dead}}.with(owner, queue, bindings...)
}

// with adds a queue of the owner's, and the one that takes what it gives up: a message
// stays where it is until that one has it. The broker refuses the first where it is
// another's, before anything else is made.
func (t Topology) with(owner sagasql.Service, queue string, bindings ...Binding) Topology {
	t.Queues = append(t.Queues, Queue{
		Name: queue, DeliveryLimit: workDeliveryLimit, DeadLetter: protocol.ExchangeDead, Owner: owner.ID, Bindings: bindings,
	}, deadQueue(owner))
	return t
}

// deadTopology is what a consumer of the owner's dead letters needs.
func deadTopology(owner sagasql.Service) Topology {
	return Topology{Exchanges: []Exchange{dead}, Queues: []Queue{deadQueue(owner)}}
}

// deadQueue has no mark: it has no place for dead letters of its own.
func deadQueue(owner sagasql.Service) Queue {
	return Queue{
		Name: protocol.DeadQueue(owner.Name), DeliveryLimit: deadDeliveryLimit,
		Bindings: []Binding{{protocol.ExchangeDead, owner.ID.String()}},
	}
}

// ownerArgument holds a queue's owner. The broker knows no owners of queues, but compares
// this argument with the one that the queue has.
const ownerArgument = "x-dead-letter-routing-key"

// arguments are the queue's optional arguments. Dead-lettering at least once
// keeps a message in its queue until the dead-letter queue has confirmed it; the
// broker supports that from 3.10 on and only together with reject-publish.
func (q Queue) arguments() amqp.Table {
	table := amqp.Table{
		amqp.QueueTypeArg:  amqp.QueueTypeQuorum,
		"x-delivery-limit": int64(q.DeliveryLimit),
	}
	if q.DeadLetter != "" {
		table["x-dead-letter-exchange"] = q.DeadLetter
		table[ownerArgument] = q.Owner.String()
		table["x-dead-letter-strategy"] = "at-least-once"
		table[amqp.QueueOverflowArg] = amqp.QueueOverflowRejectPublish
	}
	if q.MaxLength != 0 {
		table[amqp.QueueMaxLenArg] = int64(q.MaxLength)
	}
	return table
}

// arguments are the exchange's optional arguments.
func (e Exchange) arguments() amqp.Table {
	if e.Unrouted == "" {
		return nil
	}
	return amqp.Table{"alternate-exchange": e.Unrouted}
}
