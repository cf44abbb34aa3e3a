package fault

import (
	"bytes"
	"strings"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// A poison is a message that the daemon behind the queue can do nothing with. Its name is
// in the header poisonName.
type poison struct {
	name, queue string
	message     amqp.Publishing
}

const (
	poisonName   = "x-poison"
	hotelStep    = "room-booking"
	repliesQueue = "saga.replies.reservation"
)

// badly makes a good message bad.
type badly func(*amqp.Publishing)

func body(text string) badly  { return func(p *amqp.Publishing) { p.Body = []byte(text) } }
func typed(text string) badly { return func(p *amqp.Publishing) { p.ContentType = text } }

func header(name string, value any) badly {
	return func(p *amqp.Publishing) { p.Headers[name] = value }
}

func without(name string) badly { return func(p *amqp.Publishing) { delete(p.Headers, name) } }

// badCommands are the ways in which a command cannot be read.
var badCommands = map[string]badly{
	"no JSON":                       body("book me a room"),
	"JSON that ends early":          body(`{"payload": {"hotelId": 1`),
	"two values":                    body(`{} {}`),
	"no body":                       body(""),
	"an array":                      body(`[]`),
	"null":                          body(`null`),
	"no UTF-8":                      body("{\"payload\": {\"guest\": \"J\xf6rg\"}}"),
	"a payload that is a number":    body(`{"payload": 1}`),
	"outputs that are a text":       body(`{"outputs": "none"}`),
	"an output that is a list":      body(`{"outputs": {"hotel": []}}`),
	"a huge body":                   func(p *amqp.Publishing) { p.Body = bytes.Repeat([]byte(" "), protocol.MaxBody+1) },
	"plain text":                    typed("text/plain"),
	"no content type":               typed(""),
	"another charset":               typed("application/json; charset=iso-8859-1"),
	"no saga":                       without(protocol.HeaderSagaID),
	"a saga that is a word":         header(protocol.HeaderSagaID, "mine"),
	"a saga in capitals":            func(p *amqp.Publishing) { p.Headers[protocol.HeaderSagaID] = strings.ToUpper(p.CorrelationId) },
	"a saga that is a number":       header(protocol.HeaderSagaID, int64(7)),
	"no saga type":                  without(protocol.HeaderSagaType),
	"no step":                       without(protocol.HeaderSagaStep),
	"a step with a control letter":  header(protocol.HeaderSagaStep, "room\x07booking"),
	"a step that is long":           header(protocol.HeaderSagaStep, strings.Repeat("x", protocol.MaxText+1)),
	"no operation":                  without(protocol.HeaderSagaOp),
	"an operation of the future":    header(protocol.HeaderSagaOp, "PREPARE"),
	"attempt 0":                     header(protocol.HeaderSagaAttempt, "0"),
	"an attempt that is a number":   header(protocol.HeaderSagaAttempt, int32(1)),
	"no key":                        without(protocol.HeaderSagaKey),
	"the key of another saga":       header(protocol.HeaderSagaKey, protocol.Key(saga.ID(uuid.New()), hotelStep, saga.Request)),
	"no message id":                 func(p *amqp.Publishing) { p.MessageId = "" },
	"a message id that is no UUID":  func(p *amqp.Publishing) { p.MessageId = "1" },
	"nobody to answer to":           func(p *amqp.Publishing) { p.ReplyTo = "" },
	"a message id that comes twice": func(p *amqp.Publishing) { p.MessageId = sharedID; p.Body = []byte("once") },
	"… with another body":           func(p *amqp.Publishing) { p.MessageId = sharedID; p.Body = []byte("twice") },
}

// sharedID is of two messages.
var sharedID = uuid.NewString()

// badReplies are the ways in which the orchestrator can do nothing with a reply.
var badReplies = map[string]badly{
	"of an unknown saga":          func(*amqp.Publishing) {},
	"no outcome":                  without(protocol.HeaderSagaOutcome),
	"an outcome of the future":    header(protocol.HeaderSagaOutcome, "perhaps"),
	"an outcome of another step":  header(protocol.HeaderSagaOutcome, string(saga.OutcomeCompensated)),
	"a failure that is no object": func(p *amqp.Publishing) { p.Headers[protocol.HeaderSagaOutcome] = "failed"; p.Body = []byte(`"no"`) },
}

// poisons are all of them. The reply of the real saga is one to a step that it does not have.
func poisons(real uuid.UUID) []poison {
	var all []poison
	add := func(queue, name string, id uuid.UUID, step string, spoil badly) {
		p := amqp.Publishing{
			MessageId: uuid.NewString(), CorrelationId: id.String(), ContentType: "application/json", ReplyTo: repliesQueue,
			DeliveryMode: amqp.Persistent, Body: []byte(`{}`),
			Headers: amqp.Table{
				poisonName: name, protocol.HeaderSagaID: id.String(), protocol.HeaderSagaType: "room-reservation", protocol.HeaderSagaStep: step,
				protocol.HeaderSagaOp: string(saga.Request), protocol.HeaderSagaAttempt: "1",
				protocol.HeaderSagaKey: protocol.Key(saga.ID(id), step, saga.Request),
			},
		}
		if queue == repliesQueue {
			p.Headers[protocol.HeaderSagaOutcome] = string(saga.OutcomeSucceeded)
		}
		spoil(&p)
		all = append(all, poison{name, queue, p})
	}
	for name, spoil := range badCommands {
		add(protocol.CommandQueue("hotel"), name, uuid.New(), hotelStep, spoil)
	}
	for name, spoil := range badReplies {
		add(repliesQueue, name, uuid.New(), hotelStep, spoil)
	}
	add(repliesQueue, "to a step that there is not", real, "taxi", func(*amqp.Publishing) {})
	return all
}

// namesOf are the names of the poisons of a queue.
func namesOf(all []poison, queue string) (names []string) {
	for _, p := range all {
		if p.queue == queue {
			names = append(names, p.name)
		}
	}
	return names
}
