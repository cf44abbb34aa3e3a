package outbox

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of a message, in bytes.
const (
	// MaxName bounds names, keys, ids, and a header's name and value: an AMQP short
	// string (AMQP 0-9-1, 4.2.5.3) ends there.
	MaxName = 255
	// MaxHeaders bounds the names and values of all headers together. They travel in
	// one frame, and RabbitMQ's frames have 128 KiB, so that those of a trace find room
	// above it.
	MaxHeaders = 64 << 10
	// MaxPayload bounds the payload as it is published: JSON as PostgreSQL prints it.
	MaxPayload = 1 << 20
)

// A time outside of these years comes of a wrong unit, and above them neither RFC 3339
// nor every driver can write it.
var (
	minDeliverAt = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	endDeliverAt = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
)

// directReplyTo is RabbitMQ's pseudo-queue. It works only for a consumer on the
// publishing channel, which is the relay's: the broker would close that channel.
const directReplyTo = "amq.rabbitmq.reply-to"

// reservedHeaders may not be given. The relay sets the first four from the row. The
// broker reads CC and BCC as lists of routing keys and closes the channel on a string.
var reservedHeaders = map[string]bool{
	"cloudEvents_id": true, "cloudEvents_source": true,
	"cloudEvents_specversion": true, "cloudEvents_type": true,
	"CC": true, "BCC": true,
}

// ValidationError says why a message may not enter the outbox. Nothing was inserted
// and the transaction is intact. The same message is refused every time.
type ValidationError struct {
	// Index is the message's place among those of the call, from 0.
	Index int
	// Field is the column of the outbox table, for example "routing_key".
	Field string
	// Reason is a phrase for people. It does not quote the payload.
	Reason string
}

// Error implements error.
func (e *ValidationError) Error() string {
	return fmt.Sprintf("outbox message %d: %s: %s", e.Index, e.Field, e.Reason)
}

// Validate checks one message as [Append] does. The error is a [*ValidationError].
func Validate(m Message) error {
	if invalid := m.check(); invalid != nil {
		return invalid
	}
	return nil
}

func validateAll(messages []Message) error {
	for i, m := range messages {
		if invalid := m.check(); invalid != nil {
			invalid.Index = i
			return invalid
		}
	}
	return nil
}

// check returns nil for a valid message.
func (m Message) check() *ValidationError {
	names := []struct {
		field, value string
		required     bool
	}{
		{"aggregate_type", m.AggregateType, true},
		{"aggregate_id", m.AggregateID, true},
		{"type", m.Type, true},
		{"exchange", m.Exchange, false},
		{"routing_key", m.RoutingKey, m.Exchange == ""}, // then it names a queue
		{"correlation_id", m.CorrelationID, false},
		{"reply_to", m.ReplyTo, false},
		{"content_type", m.ContentType, false},
	}
	for _, name := range names {
		if reason := checkName(name.value, name.required); reason != "" {
			return &ValidationError{Field: name.field, Reason: reason}
		}
	}
	if m.ReplyTo == directReplyTo {
		return &ValidationError{Field: "reply_to", Reason: "direct reply-to needs the publisher's own channel: name a queue"}
	}
	if m.ContentType != "" && !mediaType.MatchString(m.ContentType) {
		return &ValidationError{Field: "content_type", Reason: "want a media type, for example application/json or application/octet-stream"}
	}
	if reason := checkHeaders(m.Headers); reason != "" {
		return &ValidationError{Field: "headers", Reason: reason}
	}
	if reason := checkTime(m.DeliverAt); reason != "" {
		return &ValidationError{Field: "deliver_at", Reason: reason}
	}
	return m.checkPayload()
}

// checkName returns a reason, empty where there is nothing to say against the text.
func checkName(text string, required bool) string {
	switch {
	case required && text == "":
		return "is empty"
	case len(text) > MaxName:
		return fmt.Sprintf("has %d bytes, more than %d", len(text), MaxName)
	case !utf8.ValidString(text):
		return "is not valid UTF-8"
	case strings.IndexByte(text, 0) >= 0:
		return "contains the character U+0000"
	}
	return ""
}

func checkHeaders(headers map[string]string) string {
	total := 0
	for key, value := range headers {
		if reason := checkName(key, true); reason != "" {
			return fmt.Sprintf("the name %.40q %s", key, reason)
		}
		if reason := checkName(value, false); reason != "" {
			return fmt.Sprintf("the value of %.40q %s", key, reason)
		}
		if reservedHeaders[key] || strings.HasPrefix(key, "x-") || strings.HasPrefix(key, "X-") {
			return fmt.Sprintf("the name %.40q is reserved", key)
		}
		total += len(key) + len(value)
	}
	if total > MaxHeaders {
		return fmt.Sprintf("have %d bytes together, more than %d", total, MaxHeaders)
	}
	return ""
}

func checkTime(at time.Time) string {
	if !at.IsZero() && (at.Before(minDeliverAt) || !at.Before(endDeliverAt)) {
		return "is not within the years 2000 to 9999, UTC"
	}
	return ""
}
