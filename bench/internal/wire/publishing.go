package wire

import (
	"fmt"
	"reflect"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
)

// CloudEvents attributes that the relay adds to a row's headers.
const (
	HeaderID          = "cloudEvents_id"
	headerSpecVersion = "cloudEvents_specversion"
	headerSource      = "cloudEvents_source"
	headerType        = "cloudEvents_type"
)

const appID = "relay"

// Headers are all the application headers that a message has on the wire.
func Headers(m outbox.Message) map[string]string {
	headers := make(map[string]string, len(m.Headers)+4)
	for key, value := range m.Headers {
		headers[key] = value
	}
	headers[headerSpecVersion] = "1.0"
	headers[HeaderID] = m.ID.String()
	headers[headerSource] = "/" + m.AggregateType + "/" + m.AggregateID
	headers[headerType] = m.Type
	return headers
}

// Publishing is the message as the relay puts it on the wire.
func Publishing(m outbox.Message, created time.Time) amqp.Publishing {
	table := make(amqp.Table, len(m.Headers)+4)
	for key, value := range Headers(m) {
		table[key] = value
	}
	return amqp.Publishing{
		Headers:       table,
		ContentType:   m.ContentType,
		DeliveryMode:  amqp.Persistent,
		CorrelationId: m.CorrelationID,
		ReplyTo:       m.ReplyTo,
		MessageId:     m.ID.String(),
		Timestamp:     created,
		Type:          m.Type,
		AppId:         appID,
		Body:          m.Payload,
	}
}

// Properties gives a message that has its headers and body the properties that
// stand beside them. They are all in the headers.
func Properties(p amqp.Publishing, created time.Time) amqp.Publishing {
	text := func(header string) string { value, _ := p.Headers[header].(string); return value }
	p.ContentType, p.DeliveryMode = contentType, amqp.Persistent
	p.CorrelationId, p.ReplyTo = text(protocol.HeaderSagaID), protocol.ReplyQueue("reservation")
	p.MessageId, p.Type = text(HeaderID), text(headerType)
	p.AppId, p.Timestamp = appID, created
	return p
}

// deliveryCount is a header of quorum queues, not of the message.
const deliveryCount = "x-delivery-count"

// Check compares a delivery with the message that it has to be. When it was
// created is the contender's own affair.
func (s Source) Check(d amqp.Delivery) error {
	n, err := Number(d.Body)
	if err != nil {
		return err
	}
	delete(d.Headers, deliveryCount)
	want := Publishing(s.Message(n), d.Timestamp)
	got := amqp.Publishing{
		Headers: d.Headers, ContentType: d.ContentType, DeliveryMode: d.DeliveryMode,
		CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo, MessageId: d.MessageId,
		Timestamp: d.Timestamp, Type: d.Type, AppId: d.AppId, Body: d.Body,
	}
	if d.Timestamp.IsZero() || !reflect.DeepEqual(got, want) {
		return fmt.Errorf("message %d did not arrive as it should:\n%s\n%+v\nwant\n%s\n%+v", n, got.Body, bodiless(got), want.Body, bodiless(want))
	}
	return nil
}

func bodiless(p amqp.Publishing) amqp.Publishing {
	p.Body = nil
	return p
}
