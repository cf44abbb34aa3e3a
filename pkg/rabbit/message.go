package rabbit

import (
	"cmp"
	"fmt"
	"net/url"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/outbox"
)

// CloudEvents attributes as the AMQP protocol binding for CloudEvents 1.0 puts
// them into application headers. The relay adds them to those of the record.
const (
	headerSpecVersion = "cloudEvents_specversion"
	headerID          = "cloudEvents_id"
	headerSource      = "cloudEvents_source"
	headerType        = "cloudEvents_type"

	specVersion = "1.0"
	contentJSON = "application/json"
)

// builder turns records into messages. One table of headers serves all of them:
// the library has copied it to the socket when a publish returns.
type builder struct {
	appID    string
	maxFrame int // bytes, 0 is unlimited
	headers  amqp.Table
}

func newBuilder(appID string, maxFrame int) builder {
	return builder{appID: appID, maxFrame: maxFrame, headers: make(amqp.Table)}
}

// build returns the message, valid until the next call. Its error Is
// [outbox.ErrUnpublishable].
func (b *builder) build(record *outbox.Record) (amqp.Publishing, error) {
	id := record.ID.String()
	clear(b.headers)
	for key, value := range record.Headers {
		b.headers[key] = value
	}
	b.headers[headerSpecVersion] = specVersion
	b.headers[headerID] = id
	b.headers[headerSource] = source(record)
	b.headers[headerType] = record.Type

	message := amqp.Publishing{
		Headers:       b.headers,
		ContentType:   cmp.Or(record.ContentType, contentJSON),
		DeliveryMode:  amqp.Persistent,
		CorrelationId: record.CorrelationID,
		ReplyTo:       record.ReplyTo,
		MessageId:     id,
		Timestamp:     record.CreatedAt,
		Type:          record.Type,
		AppId:         b.appID,
		Body:          record.Payload,
	}
	if err := check(record, &message, b.maxFrame); err != nil {
		return amqp.Publishing{}, fmt.Errorf("%w: %w", outbox.ErrUnpublishable, err)
	}
	return message, nil
}

// source names the service and its aggregate as a URI reference, which is what CloudEvents
// asks for: other characters than those of a path segment are percent-encoded. An outbox of
// no service has only the aggregate.
func source(record *outbox.Record) string {
	aggregate := "/" + url.PathEscape(record.AggregateType) + "/" + url.PathEscape(record.AggregateID)
	if record.Service == "" {
		return aggregate
	}
	return "/" + url.PathEscape(record.Service) + aggregate
}
