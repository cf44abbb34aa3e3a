package outbox_test

import (
	"maps"
	"strings"
	"time"

	"go.example/saga/pkg/outbox"
)

// message is valid, with every field set, and then changed.
func message(changes ...func(*outbox.Message)) outbox.Message {
	m := outbox.Message{
		AggregateType: "reservation", AggregateID: "r-1", Type: "reservation.placed",
		Exchange: "saga.events", RoutingKey: "reservation.placed",
		CorrelationID: "c-1", ReplyTo: "replies", ContentType: "application/problem+json",
		Headers:   map[string]string{"cloudEvents_sagaid": "s-1", "empty": ""},
		DeliverAt: time.Date(2033, 5, 18, 3, 33, 20, 123456000, time.UTC),
		Payload:   []byte(`{"n": 9007199254740993, "text": "<\"\\é😀>"}`),
	}
	for _, change := range changes {
		change(&m)
	}
	return m
}

func long(n int) string { return strings.Repeat("x", n) }

func header(name, value string) func(*outbox.Message) {
	return func(m *outbox.Message) {
		m.Headers = maps.Clone(m.Headers)
		m.Headers[name] = value
	}
}

func payload(text string) func(*outbox.Message) {
	return func(m *outbox.Message) { m.Payload = []byte(text) }
}

// typed is a payload with its content type.
func typed(contentType, text string) func(*outbox.Message) {
	return func(m *outbox.Message) { m.ContentType, m.Payload = contentType, []byte(text) }
}

func deliverAt(at time.Time) func(*outbox.Message) {
	return func(m *outbox.Message) { m.DeliverAt = at }
}

// isJSON says which column takes the payload of a message that is valid.
func isJSON(m outbox.Message) bool {
	mediaType, _, _ := strings.Cut(m.ContentType, ";")
	mediaType = strings.ToLower(strings.TrimRight(mediaType, " "))
	return m.ContentType == "" || strings.HasSuffix(mediaType, "/json") || strings.HasSuffix(mediaType, "+json")
}

func headersOf(count int) func(*outbox.Message) {
	return func(m *outbox.Message) {
		m.Headers = map[string]string{}
		for i := range count { // 256 bytes each
			m.Headers[string(rune('a'+i/26))+string(rune('a'+i%26))] = long(254)
		}
	}
}

// verdicts is what every way into the outbox has to agree on. An empty field means
// that the message is good.
var verdicts = []struct {
	name, field string
	change      func(*outbox.Message)
}{
	{"all fields", "", func(*outbox.Message) {}},
	{"required fields only", "", func(m *outbox.Message) {
		*m = outbox.Message{AggregateType: "a", AggregateID: "b", Type: "c", RoutingKey: "q", Payload: []byte("null")}
	}},
	{"given id", "", func(m *outbox.Message) { m.ID[0] = 1 }},
	{"awkward text", "", func(m *outbox.Message) { m.AggregateID = `{"a\,b"} '; DROP TABLE x; -- ` + "\n\t\x01é😀 NULL" }},
	{"word NULL", "", func(m *outbox.Message) { m.AggregateID, m.Type = "NULL", "null" }},

	{"aggregate type missing", "aggregate_type", func(m *outbox.Message) { m.AggregateType = "" }},
	{"aggregate type longest", "", func(m *outbox.Message) { m.AggregateType = long(255) }},
	{"aggregate type too long", "aggregate_type", func(m *outbox.Message) { m.AggregateType = long(256) }},
	{"aggregate id missing", "aggregate_id", func(m *outbox.Message) { m.AggregateID = "" }},
	{"aggregate id longest in bytes", "", func(m *outbox.Message) { m.AggregateID = strings.Repeat("é", 127) }},
	{"aggregate id too long in bytes", "aggregate_id", func(m *outbox.Message) { m.AggregateID = strings.Repeat("é", 128) }},
	{"aggregate id with NUL", "aggregate_id", func(m *outbox.Message) { m.AggregateID = "a\x00" }},
	{"aggregate id not UTF-8", "aggregate_id", func(m *outbox.Message) { m.AggregateID = "a\xff" }},
	{"aggregate id with surrogate", "aggregate_id", func(m *outbox.Message) { m.AggregateID = "\xed\xa0\x80" }},
	{"type missing", "type", func(m *outbox.Message) { m.Type = "" }},
	{"type too long", "type", func(m *outbox.Message) { m.Type = long(256) }},

	{"exchange too long", "exchange", func(m *outbox.Message) { m.Exchange = long(256) }},
	{"default exchange", "", func(m *outbox.Message) { m.Exchange = "" }},
	{"default exchange, no queue", "routing_key", func(m *outbox.Message) { m.Exchange, m.RoutingKey = "", "" }},
	{"no routing key", "", func(m *outbox.Message) { m.RoutingKey = "" }},
	{"routing key longest", "", func(m *outbox.Message) { m.RoutingKey = long(255) }},
	{"routing key too long", "routing_key", func(m *outbox.Message) { m.RoutingKey = long(256) }},

	{"no correlation id", "", func(m *outbox.Message) { m.CorrelationID = "" }},
	{"correlation id too long", "correlation_id", func(m *outbox.Message) { m.CorrelationID = long(256) }},
	{"reply to too long", "reply_to", func(m *outbox.Message) { m.ReplyTo = long(256) }},
	{"direct reply to", "reply_to", func(m *outbox.Message) { m.ReplyTo = "amq.rabbitmq.reply-to" }},
	{"direct reply queue of somebody", "", func(m *outbox.Message) { m.ReplyTo = "amq.rabbitmq.reply-to.abc" }},

	{"no content type", "", func(m *outbox.Message) { m.ContentType = "" }},
	{"content type with parameter", "", func(m *outbox.Message) { m.ContentType = "application/json; charset=utf-8" }},
	{"content type in capitals", "", func(m *outbox.Message) { m.ContentType = "Application/VND.acme+JSON" }},
	{"content type with two suffixes", "", func(m *outbox.Message) { m.ContentType = "application/a+b+json" }},
	{"content type of text", "", func(m *outbox.Message) { m.ContentType = "text/plain" }},
	{"content type that is none", "content_type", func(m *outbox.Message) { m.ContentType = "json" }},
	{"content type without a subtype", "content_type", func(m *outbox.Message) { m.ContentType = "text/" }},
	{"content type of two", "content_type", func(m *outbox.Message) { m.ContentType = "text/plain, application/json" }},
	{"content type with line break", "content_type", func(m *outbox.Message) { m.ContentType = "application/json\n" }},
	{"content type with long s", "content_type", func(m *outbox.Message) { m.ContentType = "application/jſon" }},
	{"content type too long", "content_type", func(m *outbox.Message) { m.ContentType = "application/json;" + long(255) }},

	{"no headers", "", func(m *outbox.Message) { m.Headers = nil }},
	{"header name missing", "headers", header("", "v")},
	{"header longest", "", header(long(255), long(255))},
	{"header name too long", "headers", header(long(256), "v")},
	{"header value too long", "headers", header("k", long(256))},
	{"header value too long in bytes", "headers", header("k", strings.Repeat("é", 128))},
	{"header value with NUL", "headers", header("k", "\x00")},
	{"header name not UTF-8", "headers", header("\xff", "v")},
	{"header of the broker", "headers", header("x-death", "v")},
	{"header of the broker in capitals", "headers", header("X-Death", "v")},
	{"header that looks like the broker's", "", header("x_death", "v")},
	{"header CC", "headers", header("CC", "queue")},
	{"header BCC", "headers", header("BCC", "queue")},
	{"header cc", "", header("cc", "queue")},
	{"header of the relay: id", "headers", header("cloudEvents_id", "v")},
	{"header of the relay: source", "headers", header("cloudEvents_source", "v")},
	{"header of the relay: specversion", "headers", header("cloudEvents_specversion", "v")},
	{"header of the relay: type", "headers", header("cloudEvents_type", "v")},
	{"most headers", "", headersOf(256)},
	{"too many headers", "headers", headersOf(257)},

	{"at once", "", deliverAt(time.Time{})},
	{"time that has passed", "", deliverAt(time.Date(2001, 9, 9, 1, 46, 40, 0, time.UTC))},
	{"time of another zone", "", deliverAt(time.Date(2033, 5, 18, 3, 33, 20, 0, time.FixedZone("", -8*3600)))},
	{"time finer than stored", "", deliverAt(time.Date(2033, 5, 18, 3, 33, 20, 123456999, time.UTC))},
	{"time earliest", "", deliverAt(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))},
	{"time too early", "deliver_at", deliverAt(time.Date(1999, 12, 31, 23, 59, 59, 999999999, time.UTC))},
	{"time before Christ", "deliver_at", deliverAt(time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC))},
	{"time latest", "", deliverAt(time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC))},
	{"time too late", "deliver_at", deliverAt(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))},
	{"time in milliseconds", "deliver_at", deliverAt(time.Unix(1_700_000_000_000, 0))},

	{"payload missing", "payload", func(m *outbox.Message) { m.Payload = nil }},
	{"payload null", "", payload(`null`)},
	{"payload number", "", payload(` 1e5 `)},
	{"payload broken", "payload", payload(`{"a":`)},
	{"payload with NUL", "payload", payload(`{"a":"\u0000"}`)},
	{"payload with half a surrogate", "payload", payload(`{"a":"\ud800"}`)},
	{"payload not UTF-8", "payload", payload("\"\xff\"")},
	{"payload with a huge number", "payload", payload(`[1e131072]`)},
	{"payload deepest", "", payload(strings.Repeat("[", 512) + strings.Repeat("]", 512))},
	{"payload too deep", "payload", payload(strings.Repeat("[", 513) + strings.Repeat("]", 513))},
	{"payload too deep in objects", "payload", payload(strings.Repeat(`{"a":[`, 256) + "{}" + strings.Repeat("]}", 256))},
	{"payload largest", "", payload(`"` + long(outbox.MaxPayload-2) + `"`)},
	{"payload too large", "payload", payload(`"` + long(outbox.MaxPayload-1) + `"`)},
	{"payload too large once stored", "payload", payload(`[1e131000,1e131000,1e131000,1e131000,1e131000,1e131000,1e131000,1e131000,1e5000]`)},
	{"payload small once stored", "", payload(`[1` + strings.Repeat(" ", outbox.MaxPayload) + `]`)},
	{"payload broken with a parameter", "payload", typed("application/json; charset=utf-8", `{`)},
	{"payload broken with two suffixes", "payload", typed("application/a+b+json", `{`)},
	{"payload broken in capitals", "payload", typed("TEXT/JSON", `{`)},

	{"bytes of any kind", "", typed("application/octet-stream", "\x00\xff\\\"{},NULL")},
	{"bytes that look like hex", "", typed("application/octet-stream", `\x41`)},
	{"bytes that look like JSON", "", typed("application/jsonl", `{"a":`)},
	{"bytes with JSON in a parameter", "", typed("text/plain; like=application/json", `{`)},
	{"bytes none", "", typed("application/x-protobuf", "")},
	{"bytes nil", "", func(m *outbox.Message) { m.ContentType, m.Payload = "application/x-protobuf", nil }},
	{"bytes most", "", typed("image/png", long(outbox.MaxPayload))},
	{"bytes too many", "payload_bytes", typed("image/png", long(outbox.MaxPayload+1))},
}
