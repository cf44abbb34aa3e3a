package rabbit

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/outbox"
)

const (
	// maxShortString is the length in bytes that AMQP's short strings can have:
	// names, routing keys, properties and header keys.
	maxShortString = 255
	// MaxBody is the size in bytes above which a message is not published: the
	// limit of RabbitMQ 4 unless configured otherwise (3.x allows 128 MiB). A
	// larger body closes the channel.
	MaxBody = 16 << 20
	// frameOverhead is what surrounds the payload of a frame.
	frameOverhead = 8
	// fixedHeader is the part of a content header frame that does not depend on
	// the message: class, weight, body size, flags, table size, delivery mode and
	// timestamp.
	fixedHeader = 2 + 2 + 8 + 2 + 4 + 1 + 8
	// directReply is a reply address that only the connection that consumes from
	// it may use; anybody else's message closes the channel.
	directReply = "amq.rabbitmq.reply-to"
)

// check finds what would make the broker close the channel or the connection, or
// the library stop in the middle of a frame, and so take the whole window along.
func check(record *outbox.Record, m *amqp.Publishing, maxFrame int) error {
	for _, field := range [...]struct{ name, value string }{
		{"exchange", record.Exchange},
		{"routing key", record.RoutingKey},
		{"type", m.Type},
		{"correlation id", m.CorrelationId},
		{"reply to", m.ReplyTo},
		{"content type", m.ContentType},
	} {
		if len(field.value) > maxShortString {
			return fmt.Errorf("%s has %d bytes, the limit is %d", field.name, len(field.value), maxShortString)
		}
	}
	if m.ReplyTo == directReply {
		return fmt.Errorf("reply to is %s, which a published record cannot use", directReply)
	}
	if len(m.Body) > MaxBody {
		return fmt.Errorf("the payload has %d bytes, the limit is %d", len(m.Body), MaxBody)
	}
	return checkHeaders(m, maxFrame)
}

func checkHeaders(m *amqp.Publishing, maxFrame int) error {
	size := fixedHeader
	for _, s := range [...]string{m.ContentType, m.CorrelationId, m.ReplyTo, m.MessageId, m.Type, m.AppId} {
		size += 1 + len(s)
	}
	for key, value := range m.Headers {
		switch {
		case len(key) > maxShortString:
			return fmt.Errorf("a header's name has %d bytes, the limit is %d", len(key), maxShortString)
		case key == "CC" || key == "BCC":
			return fmt.Errorf("header %s is reserved: RabbitMQ takes it for a list of further routing keys", key)
		}
		text, _ := value.(string) // all of them are
		size += 1 + len(key) + 1 + 4 + len(text)
	}
	if maxFrame > 0 && size > maxFrame-frameOverhead {
		return errors.New("the headers do not fit into one frame of the connection")
	}
	return nil
}
