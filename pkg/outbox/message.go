package outbox

import (
	"time"

	"github.com/google/uuid"
)

// Message is one event to publish. It becomes a row of the outbox table when
// [Append] inserts it in the caller's transaction, and a RabbitMQ message after
// that transaction has committed.
type Message struct {
	// ID is the event's id: AMQP message_id and CloudEvents id, the same however
	// often the message is published. The zero value lets the database draw one.
	// Give a derived id (UUIDv5) where repeating the work must not mint a second
	// event.
	ID uuid.UUID
	// AggregateType and AggregateID name the thing the event is about.
	// Messages of one AggregateID are published in the order of their commits, but
	// for those with a DeliverAt.
	AggregateType string
	AggregateID   string
	// Type is the event's type, CloudEvents type and AMQP type.
	Type string
	// Exchange and RoutingKey say where to. An empty exchange is AMQP's default
	// exchange: the routing key is then the name of a queue.
	Exchange   string
	RoutingKey string
	// CorrelationID and ReplyTo become the AMQP properties of those names. Optional.
	CorrelationID string
	ReplyTo       string
	// ContentType is the media type of the payload; empty means application/json.
	ContentType string
	// Headers become application headers. Values are strings of at most 255 bytes.
	// Where neither traceparent nor tracestate is among them, [Append] adds those of
	// the span that is active in its context.
	Headers map[string]string
	// DeliverAt is when to publish, not before, by the database's clock and to the
	// microsecond. The zero time, like one that has passed, is at once.
	DeliverAt time.Time
	// Payload is the body. Where ContentType is JSON (its subtype is json or ends in
	// +json), a JSON value that jsonb can store, published as PostgreSQL prints it;
	// else bytes that are published as they are, none at all being allowed.
	Payload []byte
}

// Record is a committed Message as the relay reads it back from the log.
type Record struct {
	Message
	// Position is the row's id in the outbox table: it rises with the order of
	// inserts, and within one AggregateID with the order of commits.
	Position int64
	// CreatedAt is the start of the transaction that appended the message,
	// by the database's clock.
	CreatedAt time.Time
	// Service is whose outbox it is, empty where the tables belong to no service.
	Service string
	// Unreadable says why the row is no message; nil for nearly all. What could be read
	// of it is there.
	Unreadable error
}
