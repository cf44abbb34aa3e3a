package protocol

import (
	"github.com/google/uuid"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/saga"
)

// Fact is a plain event: something that has happened at a service, told to whoever wants to
// know. Nobody answers it.
type Fact struct {
	MessageID uuid.UUID
	// Type is what has happened, for example room.booked.
	Type string
	// Service is where.
	Service string
	// Subject is what it happened to, as that service calls it.
	Subject string
	// SagaID is the whole that it belongs to, whose first event drew the id.
	SagaID saga.ID
	// Payload is what else is to be said.
	Payload jsonmap.JSONMap
}

// FactMessage is the message for a fact of the service whose outbox it goes into. Facts of
// one subject are published in the order of their commits.
func FactMessage(f Fact) (outbox.Message, error) {
	payload, err := f.Payload.MarshalJSON()
	if err != nil {
		return outbox.Message{}, err
	}
	return outbox.Message{
		ID: f.MessageID, AggregateType: "fact", AggregateID: f.Subject, CorrelationID: uuid.UUID(f.SagaID).String(),
		Type: f.Type, Exchange: ExchangeEvents, RoutingKey: FactKey(f.Service, f.Type),
		ContentType: typeJSON, Headers: map[string]string{HeaderService: f.Service, HeaderSubject: f.Subject}, Payload: payload,
	}, nil
}

// FactKey is the routing key of a service's facts of a type.
func FactKey(service, name string) string { return service + "." + name }

// DecodeFact reads a plain event. The error is a [*DecodeError].
func DecodeFact(d inbox.Delivery) (Fact, error) {
	r := reader{d: d}
	f := Fact{
		MessageID: r.uuid("message_id", d.MessageID),
		Type:      r.text("type", d.Type),
		Service:   r.header(HeaderService),
		Subject:   r.header(HeaderSubject),
		SagaID:    saga.ID(r.uuid("correlation_id", d.CorrelationID)),
	}
	f.Payload = r.body()
	if r.err != nil {
		return Fact{}, r.err
	}
	return f, nil
}
