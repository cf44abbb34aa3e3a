package rabbit

import (
	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/protocol"
)

// Topology is what a session needs on the broker before it starts. Declaring it
// again changes nothing.
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
	dead     = Exchange{Name: protocol.ExchangeDead, Kind: amqp.ExchangeFanout}
	unheard  = Exchange{Name: protocol.ExchangeUnheard, Kind: amqp.ExchangeFanout}
	// An event may have no listener, and must then not hold up the outbox as a
	// command without its participant does. It is kept aside instead.
	events = Exchange{Name: protocol.ExchangeEvents, Kind: amqp.ExchangeTopic, Unrouted: protocol.ExchangeUnheard}

	// protocolTopology is what a publisher needs.
	protocolTopology = Topology{
		Exchanges: []Exchange{commands, unheard, events},
		Queues:    []Queue{aside},
	}

	aside = Queue{
		Name:          protocol.QueueUnheard,
		DeliveryLimit: deadDeliveryLimit,
		MaxLength:     unheardLength,
		Bindings:      []Binding{{Exchange: protocol.ExchangeUnheard}},
	}

	// graveyard is first in every topology: a dead-letter exchange without a
	// queue drops what it is given.
	graveyard = Queue{
		Name:          protocol.QueueDead,
		DeliveryLimit: deadDeliveryLimit,
		Bindings:      []Binding{{Exchange: protocol.ExchangeDead}},
	}
)

// CommandTopology is a participant's: for each destination the queue of its
// commands.
func CommandTopology(destinations ...string) Topology {
	t := Topology{Exchanges: []Exchange{commands, dead}, Queues: []Queue{graveyard}}
	for _, d := range destinations {
		t.Queues = append(t.Queues, work(protocol.CommandQueue(d), Binding{protocol.ExchangeCommands, d}))
	}
	return t
}

// ReplyTopology is an orchestrator's: the queue that replies are sent to. They
// come through the default exchange, so it has no bindings.
func ReplyTopology(queue string) Topology {
	return Topology{
		Exchanges: []Exchange{commands, unheard, events, dead},
		Queues:    []Queue{graveyard, aside, work(queue)},
	}
}

// EventTopology is a listener's: a queue of the events whose routing keys match
// one of the patterns, for example "room-reservation.*".
func EventTopology(queue string, patterns ...string) Topology {
	q := work(queue)
	for _, p := range patterns {
		q.Bindings = append(q.Bindings, Binding{protocol.ExchangeEvents, p})
	}
	return Topology{Exchanges: []Exchange{unheard, events, dead}, Queues: []Queue{graveyard, aside, q}}
}

func work(name string, bindings ...Binding) Queue {
	return Queue{Name: name, DeliveryLimit: workDeliveryLimit, DeadLetter: protocol.ExchangeDead, Bindings: bindings}
}

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
