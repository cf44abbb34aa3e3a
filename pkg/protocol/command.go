package protocol

import (
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/saga"
)

// Command is what a participant is asked to do.
type Command struct {
	// MessageID is the id of this attempt.
	MessageID uuid.UUID
	SagaID    saga.ID
	SagaType  string
	Step      string
	Operation saga.Operation
	// Attempt counts the sends, 1 being the first.
	Attempt int
	// ReplyTo is the queue that waits for the answer.
	ReplyTo string
	// Payload is what the saga was started with, or what the step's definition takes
	// of it and of the outputs.
	Payload jsonmap.JSONMap
	// Outputs holds what earlier steps answered, an object by step name. It is empty
	// where the definition says what the step is sent.
	Outputs jsonmap.JSONMap
}

// Key is the command's key: the same over all attempts.
func (c Command) Key() string { return Key(c.SagaID, c.Step, c.Operation) }

// CommandMessage is the message for the decision c of the saga st, which is the
// service's: the answer goes to its queue. It fails where what the step is sent is not
// JSON or above [MaxContent].
func CommandMessage(service string, st saga.State, c saga.SendCommand) (outbox.Message, error) {
	cmd := Command{
		MessageID: CommandID(st.ID, c.Step, c.Operation, c.Attempt),
		SagaID:    st.ID, SagaType: st.Type,
		Step: c.Step, Operation: c.Operation, Attempt: c.Attempt,
		ReplyTo: ReplyQueue(service), Payload: c.Payload, Outputs: c.Outputs,
	}
	body, err := Content(cmd.Payload, cmd.Outputs)
	if err != nil {
		return outbox.Message{}, fmt.Errorf("encode the command %s: %w", cmd.Key(), err)
	}
	m := cmd.envelope()
	m.ID = cmd.MessageID
	m.Type = c.Step + "." + string(c.Operation)
	m.Exchange, m.RoutingKey = ExchangeCommands, c.Destination
	if c.URL != "" {
		m.Exchange, m.RoutingKey = ExchangeHTTP, c.URL
		m.Headers[HeaderSagaTimeout] = strconv.FormatFloat(c.Timeout.Seconds(), 'f', -1, 64)
	}
	m.ReplyTo = cmd.ReplyTo
	m.ContentType, m.Payload = typeJSON, body
	return m, nil
}

// envelope is what a command and its reply have in common.
func (c Command) envelope() outbox.Message {
	id := uuid.UUID(c.SagaID).String()
	return outbox.Message{
		// Ordered by saga: a CANCEL must not overtake its REQUEST on the way.
		AggregateType: c.SagaType,
		AggregateID:   id,
		CorrelationID: id,
		Headers: map[string]string{
			HeaderSagaID:      id,
			HeaderSagaType:    c.SagaType,
			HeaderSagaStep:    c.Step,
			HeaderSagaOp:      string(c.Operation),
			HeaderSagaAttempt: strconv.Itoa(c.Attempt),
			HeaderSagaKey:     key(id, c.Step, c.Operation),
		},
	}
}

// DecodeCommand reads a command. The error is a [*DecodeError].
func DecodeCommand(d inbox.Delivery) (Command, error) {
	r := reader{d: d}
	cmd := r.envelope()
	cmd.MessageID = r.uuid("message_id", d.MessageID)
	cmd.ReplyTo = r.text("reply_to", d.ReplyTo)
	body := r.body()
	cmd.Payload = r.member(body, "payload")
	cmd.Outputs = r.member(body, "outputs")
	for step, output := range cmd.Outputs {
		if _, ok := asObject(output); !ok {
			r.fail("body", "outputs of the step %q are not an object", step)
		}
	}
	if r.err != nil {
		return Command{}, r.err
	}
	return cmd, nil
}

// envelope reads the headers that a command and its reply have in common.
func (r *reader) envelope() Command {
	text := r.d.Headers[HeaderSagaID]
	id := r.uuid(HeaderSagaID, text)
	cmd := Command{
		SagaID:    saga.ID(id),
		SagaType:  r.header(HeaderSagaType),
		Step:      r.header(HeaderSagaStep),
		Operation: r.operation(),
		Attempt:   r.attempt(),
	}
	if got, want := r.header(HeaderSagaKey), key(text, cmd.Step, cmd.Operation); got != want {
		r.fail(HeaderSagaKey, "is %q, but the other headers say %q", got, want)
	}
	return cmd
}
