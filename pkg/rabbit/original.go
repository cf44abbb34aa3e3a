package rabbit

import (
	"encoding/json"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/inbox"
)

// original is a message with all that AMQP says of it, so that it can be published once
// more as it was. There is one property that the client library neither shows nor sends:
// cluster-id, which AMQP 0-9-1 has withdrawn.
type original amqp.Publishing

var _ inbox.Original = (*original)(nil)

func originalOf(d *amqp.Delivery) *original {
	return &original{
		Headers: d.Headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId,
		ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp,
		Type: d.Type, UserId: d.UserId, AppId: d.AppId, Body: d.Body,
	}
}

// ofTheQueue are headers that a quorum queue adds while a message is in it. They are none
// of its publisher's, and would say of the message that is put back what was of the old one.
var ofTheQueue = []string{"x-delivery-count", "x-acquired-count"}

// Encode implements [inbox.Original].
func (o *original) Encode() (properties, headers json.RawMessage, err error) {
	found := map[string]any{}
	for name, text := range o.texts() {
		if *text != "" {
			found[name] = encodeText(*text)
		}
	}
	if o.DeliveryMode != 0 {
		found["delivery_mode"] = o.DeliveryMode
	}
	if o.Priority != 0 {
		found["priority"] = o.Priority
	}
	if !o.Timestamp.IsZero() {
		found["timestamp"] = encodeTime(o.Timestamp)
	}
	if properties, err = json.Marshal(found); err != nil {
		return nil, nil, fmt.Errorf("encode the properties: %w", err)
	}
	table, err := encodeTable(o.Headers, ofTheQueue...)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the headers: %w", err)
	}
	if headers, err = json.Marshal(table); err != nil {
		return nil, nil, fmt.Errorf("encode the headers: %w", err)
	}
	return properties, headers, nil
}

// texts are the properties that hold text, by the names that AMQP gives them.
func (o *original) texts() map[string]*string {
	return map[string]*string{
		"content_type": &o.ContentType, "content_encoding": &o.ContentEncoding,
		"correlation_id": &o.CorrelationId, "reply_to": &o.ReplyTo, "expiration": &o.Expiration,
		"message_id": &o.MessageId, "type": &o.Type, "user_id": &o.UserId, "app_id": &o.AppId,
	}
}

// decodeOriginal is the inverse of Encode.
func decodeOriginal(properties, headers json.RawMessage, body []byte) (*original, error) {
	o := &original{Body: body}
	found, err := decodeDocument(properties)
	if err != nil {
		return nil, fmt.Errorf("read the properties: %w", err)
	}
	texts := o.texts()
	for name, value := range found {
		if err := o.set(texts[name], name, value); err != nil {
			return nil, fmt.Errorf("read the property %q: %w", name, err)
		}
	}
	document, err := decodeDocument(headers)
	if err != nil {
		return nil, fmt.Errorf("read the headers: %w", err)
	}
	if o.Headers, err = decodeTable(document); err != nil {
		return nil, fmt.Errorf("read the headers: %w", err)
	}
	return o, nil
}

// set fills in one property; text is its place if it is one of texts.
func (o *original) set(text *string, name string, value any) (err error) {
	switch {
	case text != nil:
		*text, err = decodeText(value)
	case name == "delivery_mode":
		o.DeliveryMode, err = decodeUint8(value)
	case name == "priority":
		o.Priority, err = decodeUint8(value)
	case name == "timestamp":
		o.Timestamp, err = decodeTime(value)
	default:
		err = fmt.Errorf("AMQP has no such property")
	}
	return err
}

// encodeTime shows a time to people where its year has four digits; AMQP's times are
// whole seconds, of any size.
func encodeTime(t time.Time) any {
	if t = t.UTC(); t.Year() >= 0 && t.Year() <= 9999 && t.Nanosecond() == 0 {
		return t.Format(time.RFC3339)
	}
	return t.Unix()
}
