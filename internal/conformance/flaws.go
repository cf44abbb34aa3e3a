package conformance

import (
	"bytes"
	"strings"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
)

// Flaws are messages that break one rule of the protocol each.
func Flaws() []Flaw {
	header := func(name, value string) func(*inbox.Delivery) {
		return func(d *inbox.Delivery) { d.Headers[name] = value }
	}
	without := func(name string) func(*inbox.Delivery) {
		return func(d *inbox.Delivery) { delete(d.Headers, name) }
	}
	body := func(text string) func(*inbox.Delivery) {
		return func(d *inbox.Delivery) { d.Body = []byte(text) }
	}
	return []Flaw{
		{Name: "a body that is no JSON", Break: body("{")},
		{Name: "an empty body", Break: body("")},
		{Name: "a body that is no object", Break: body("[]")},
		{Name: "a payload that is no object", Break: body(`{"payload": 1}`)},
		{Name: "U+0000 in the body", Break: body(`{"payload": {"a": "\u0000"}}`)},
		{Name: "a body above 1 MiB", Break: func(d *inbox.Delivery) {
			d.Body = append(d.Body, bytes.Repeat([]byte(" "), protocol.MaxBody+1-len(d.Body))...)
		}},
		{Name: "no message id", Break: func(d *inbox.Delivery) { d.MessageID = "" }},
		{Name: "a message id that is no UUID", Break: func(d *inbox.Delivery) { d.MessageID = "1" }},
		{Name: "no saga id", Break: without(protocol.HeaderSagaID)},
		{Name: "a saga id in upper case", Break: func(d *inbox.Delivery) {
			id := d.Headers[protocol.HeaderSagaID]
			d.Headers[protocol.HeaderSagaID] = strings.ToUpper(id)
			d.Headers[protocol.HeaderSagaKey] = strings.Replace(d.Headers[protocol.HeaderSagaKey], id, strings.ToUpper(id), 1)
		}},
		{Name: "no step", Break: without(protocol.HeaderSagaStep)},
		{Name: "no key", Break: without(protocol.HeaderSagaKey)},
		{Name: "another saga's key", Break: func(d *inbox.Delivery) {
			d.Headers[protocol.HeaderSagaKey] = "00000000-0000-7000-8000-000000000001" + d.Headers[protocol.HeaderSagaKey][36:]
		}},
		{Name: "an operation that there is not", Break: func(d *inbox.Delivery) {
			d.Headers[protocol.HeaderSagaOp] = "UNDO"
			d.Headers[protocol.HeaderSagaKey] = strings.Replace(d.Headers[protocol.HeaderSagaKey], "/REQUEST", "/UNDO", 1)
		}},
		{Name: "the attempt 0", Break: header(protocol.HeaderSagaAttempt, "0")},
		{Name: "a name of the saga's type of 256 bytes", Break: header(protocol.HeaderSagaType, strings.Repeat("a", 256))},
		{Name: "another content type than JSON", Break: func(d *inbox.Delivery) { d.ContentType = "text/plain" }},
		{Name: "a content encoding", Break: func(d *inbox.Delivery) { d.ContentEncoding = "gzip" }},
		{Name: "no queue to reply to", Break: func(d *inbox.Delivery) { d.ReplyTo = "" }, Broker: true},
	}
}
