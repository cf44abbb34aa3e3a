package protocol

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/saga"
)

// Event tells that a saga ended or was parked.
type Event struct {
	MessageID   uuid.UUID
	SagaID      saga.ID
	SagaType    string
	Kind        saga.EventKind
	Status      saga.Status
	BusinessKey string
	// Failure is why the saga went back; nil where it did not.
	Failure *saga.Failure
	// ParkReason is why the saga waits for an operator; empty unless it is PARKED.
	ParkReason saga.ParkReason
	// Detail is why it was parked or killed, a sentence for people; else empty. Problem is
	// what the participant said because of whose answer it was parked.
	Detail  string
	Problem saga.Problem
	// Payload and Outputs are the saga's own: a subscriber need not ask anybody
	// what it was that ended.
	Payload jsonmap.JSONMap
	Outputs jsonmap.JSONMap
}

// eventBody is the body of an event, but for the saga's payload and outputs.
type eventBody struct {
	SagaID      string          `json:"sagaId"`
	Type        string          `json:"type"`
	Status      saga.Status     `json:"status"`
	BusinessKey string          `json:"businessKey,omitempty"`
	Failure     *failureBody    `json:"failure,omitempty"`
	ParkReason  saga.ParkReason `json:"parkReason,omitempty"`
	Detail      string          `json:"detail,omitempty"`
	Problem     saga.Problem    `json:"problem,omitzero"`
}

type failureBody struct {
	Step    string            `json:"step,omitempty"`
	Class   saga.FailureClass `json:"class"`
	Problem saga.Problem      `json:"problem"`
}

// statusOf is the status that a saga has when it tells the kind.
var statusOf = map[saga.EventKind]saga.Status{
	saga.EventCompleted: saga.StatusCompleted,
	saga.EventAborted:   saga.StatusAborted,
	saga.EventParked:    saga.StatusParked,
	saga.EventKilled:    saga.StatusKilled,
}

// EventMessage is the message for the decision e of the saga st, which is the service's.
// Saga types of one name in two services have routing keys of their own. It fails where
// the kind does not fit the saga's status or the payload or outputs are not JSON.
func EventMessage(service string, st saga.State, e saga.EmitEvent) (outbox.Message, error) {
	id := uuid.UUID(st.ID).String()
	if statusOf[e.Kind] != st.Status {
		return outbox.Message{}, fmt.Errorf("event of saga %s: a saga that is %s is not %s", id, st.Status, e.Kind)
	}
	body := eventBody{
		SagaID: id, Type: st.Type, Status: st.Status, BusinessKey: st.BusinessKey,
		Detail: clean(e.Detail, MaxWhy), Problem: shortened(e.Problem, MaxWhy),
	}
	if e.Kind == saga.EventParked { // one that was killed while parked waits no longer
		body.ParkReason = st.ParkReason()
	}
	if f := st.Failure; f != nil {
		body.Failure = &failureBody{Step: f.Step, Class: f.Class, Problem: tellable(f.Problem)}
	}
	head, err := json.Marshal(body)
	var content []byte
	if err == nil {
		content, err = contentOf(st.Payload, st.Outputs)
	}
	if err != nil {
		return outbox.Message{}, fmt.Errorf("encode the event %s of saga %s: %w", e.Kind, id, err)
	}
	name := st.Type + "." + string(e.Kind)
	return outbox.Message{
		ID:            EventID(st.ID, e.Kind, st.Version),
		AggregateType: st.Type, AggregateID: id, CorrelationID: id,
		Type:     name,
		Exchange: ExchangeEvents, RoutingKey: service + "." + name,
		ContentType: typeJSON,
		Headers:     map[string]string{HeaderSagaID: id, HeaderSagaType: st.Type},
		// One object of both.
		Payload: slices.Concat(head[:len(head)-1], []byte(","), content[1:]),
	}, nil
}

// WebhookMessage tells the webhook of that name of an event, whose message is given, as
// Standard Webhooks 1.0 has it: the event's type, when it was, and its body as the data. Its
// id is derived from the event's.
func WebhookMessage(event outbox.Message, name string, at time.Time) outbox.Message {
	m := event
	m.ID = uuid.NewSHA1(event.ID, []byte("webhook/"+name))
	m.Exchange, m.RoutingKey = ExchangeWebhook, name
	head := fmt.Appendf(nil, `{"type":%q,"timestamp":%q,"data":`, event.Type, at.UTC().Format(time.RFC3339Nano))
	m.Payload = slices.Concat(head, event.Payload, []byte("}"))
	return m
}

// DecodeEvent reads an event. The error is a [*DecodeError].
func DecodeEvent(d inbox.Delivery) (Event, error) {
	r := reader{d: d}
	e := Event{
		MessageID: r.uuid("message_id", d.MessageID),
		SagaID:    saga.ID(r.uuid(HeaderSagaID, d.Headers[HeaderSagaID])),
		SagaType:  r.header(HeaderSagaType),
	}
	body := r.body()
	if id := r.str(body, "sagaId"); id != d.Headers[HeaderSagaID] {
		r.fail("body", "sagaId is not what the header %s says", HeaderSagaID)
	}
	if name := r.str(body, "type"); name != e.SagaType {
		r.fail("body", "type is not what the header %s says", HeaderSagaType)
	}
	e.Status = saga.Status(r.str(body, "status"))
	for kind, status := range statusOf {
		if status == e.Status {
			e.Kind = kind
		}
	}
	if e.Kind == "" || d.Type != e.SagaType+"."+string(e.Kind) {
		r.fail("type", "%q does not fit the status in the body", d.Type)
	}
	e.BusinessKey, e.ParkReason = r.str(body, "businessKey"), saga.ParkReason(r.str(body, "parkReason"))
	e.Failure = r.failure(body)
	e.Detail, e.Problem = r.str(body, "detail"), problem(r.member(body, "problem"))
	e.Payload, e.Outputs = r.member(body, "payload"), r.member(body, "outputs")
	if r.err != nil {
		return Event{}, r.err
	}
	return e, nil
}

func (r *reader) failure(body jsonmap.JSONMap) *saga.Failure {
	if _, there := body["failure"]; !there {
		return nil
	}
	f := r.member(body, "failure")
	return &saga.Failure{
		Step:    r.str(f, "step"),
		Class:   saga.FailureClass(r.str(f, "class")),
		Problem: problem(r.member(f, "problem")),
	}
}
