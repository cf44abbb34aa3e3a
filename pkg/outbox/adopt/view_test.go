package adopt_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox/adopt"
)

func TestDebeziumRow(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	apply(t, pool, mapping())
	write(t, pool, "17", `{"n": 1}`)
	r := read(t, pool)[0]
	require.WithinDuration(t, time.Now(), r.CreatedAt.(time.Time), time.Minute)
	r.EventID, r.CreatedAt = [16]byte{}, nil
	require.Equal(t, row{
		ID: 1, AggregateType: "Order", AggregateID: "17", Type: "placed", Exchange: "events",
		RoutingKey: "Order.placed", ContentType: "application/json", Headers: "{}", Payload: []byte(`{"n": 1}`),
	}, r)
	require.Equal(t, texts(t, pool, `SELECT id::text FROM shop.outboxevent`),
		texts(t, pool, `SELECT event_id::text FROM "order".outbox`))
}

// What is not jsonb goes out byte for byte.
func TestPayloads(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct{ contentType, written, want string }{
		"json":           {"", `{"b":1,  "a":1.0}`, `{"b":1,  "a":1.0}`},
		"text":           {"", `{"n":"é"}`, `{"n":"é"}`},
		"varchar(9)":     {"text/plain", "no JSON", "no JSON"},
		"bytea":          {"application/octet-stream", `\x00ff41`, "\x00\xffA"},
		"bytea NOT NULL": {"avro/binary", ``, ""},
	} {
		pool := debezium(t, kind)
		m := mapping()
		m.ContentType = c.contentType
		apply(t, pool, m)
		write(t, pool, "a", c.written)
		r := read(t, pool)[0]
		require.Nil(t, r.Payload, kind)
		require.NotNil(t, r.PayloadBytes, kind)
		require.Equal(t, c.want, string(r.PayloadBytes), kind)
		if c.contentType != "" {
			require.Equal(t, c.contentType, r.ContentType, kind)
		}
	}
}

// Debezium's tombstone: a row without a payload.
func TestNoPayloadIsAnEmptyOne(t *testing.T) {
	t.Parallel()
	for kind, contentType := range map[string]string{"jsonb": "", "text": "", "bytea": "a/b"} {
		pool := debezium(t, kind)
		m := mapping()
		m.ContentType = contentType
		apply(t, pool, m)
		exec(t, pool, `INSERT INTO shop.outboxevent VALUES (gen_random_uuid(), 'Order', '1', 'deleted', NULL)`)
		r := read(t, pool)[0]
		require.Nil(t, r.Payload, kind)
		require.Equal(t, []byte{}, r.PayloadBytes, kind)
	}
}

// A table of other names and types, every field mapped, and names that need quotes.
func TestEveryField(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t)
	exec(t, pool, `
		CREATE TYPE kind AS ENUM ('paid');
		CREATE DOMAIN key_text AS text;
		CREATE TABLE "My ""Events" (
			"Seq"   bigserial PRIMARY KEY,
			"key"   uuid NOT NULL,
			topic   char(8) NOT NULL,
			"value" jsonb,
			subject integer NOT NULL,
			kind    kind NOT NULL,
			trace   key_text,
			answer  text,
			due     timestamptz,
			made    timestamptz NOT NULL,
			payload bytea,
			media   text)`)
	apply(t, pool, adopt.Mapping{
		Table: `My "Events`, Existing: adopt.ExistingSkip, Exchange: `it's \ $1 %s`, RoutingKey: "{topic}/{subject}", ContentType: "{media}",
		Columns: adopt.Columns{
			ID: "Seq", EventID: "key", AggregateType: "topic", AggregateID: "subject", Type: "kind", Payload: "payload",
			CorrelationID: "trace", ReplyTo: "answer", Headers: "value", DeliverAt: "due", CreatedAt: "made",
		},
	})
	exec(t, pool, `INSERT INTO "My ""Events" VALUES (7, '00000000-0000-0000-0000-000000000001', 'orders', '{"a":"b","n":1,"o":{"x":[]},"z":null}',
		42, 'paid', 'trace-1', 'replies', now() + '1 day', '2020-02-02 00:00Z', 'abc', 'text/plain')`)
	r := read(t, pool)[0]
	due, made := r.DeliverAt.(time.Time), r.CreatedAt.(time.Time)
	require.WithinDuration(t, time.Now().Add(24*time.Hour), due, time.Minute)
	require.Equal(t, 2020, made.UTC().Year())
	r.DeliverAt, r.CreatedAt = nil, nil
	require.Equal(t, row{
		ID: 7, EventID: [16]byte{15: 1}, AggregateType: "orders", AggregateID: "42", Type: "paid",
		Exchange: `it's \ $1 %s`, RoutingKey: "orders/42", CorrelationID: "trace-1", ReplyTo: "replies", ContentType: "text/plain",
		Headers: `{ "a" : "b", "n" : "1", "o" : "{\"x\": []}" }`, PayloadBytes: []byte("abc"),
	}, r)
}

// One row that the relay could not even read would stop the log.
func TestNoRowStopsTheLog(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t)
	exec(t, pool, `CREATE TABLE loose (a text, t text, payload text, h jsonb, due timestamptz, made timestamptz NOT NULL)`)
	apply(t, pool, adopt.Mapping{
		Table: "loose", Existing: adopt.ExistingSkip, Exchange: "{t}", RoutingKey: "to.{t}", ContentType: "{t}",
		Columns: adopt.Columns{
			AggregateType: "a", AggregateID: "a", Type: "t", CorrelationID: "t", ReplyTo: "t",
			Headers: "h", DeliverAt: "due", CreatedAt: "made", Payload: "payload",
		},
	})
	exec(t, pool, `INSERT INTO loose VALUES
		(NULL, NULL, NULL, NULL, NULL, '-infinity'),
		(repeat('é', 100000), '', '{', '[1]', 'infinity', 'infinity'),
		(NULL, NULL, NULL, 'null', '-infinity', now()),
		(NULL, NULL, NULL, '"x"', '200000-01-01', '4000-01-01 BC')`)
	rows := read(t, pool)
	require.Len(t, rows, 4)
	for _, r := range rows {
		require.Equal(t, "{}", r.Headers)
		require.IsType(t, time.Time{}, r.CreatedAt)
	}
	require.Equal(t, "to.", rows[0].RoutingKey)
	require.IsType(t, time.Time{}, rows[1].DeliverAt, "kept back, as it says")
	require.Nil(t, rows[2].DeliverAt)
	// It is too long for a message, and may be parked.
	require.Equal(t, strings.Repeat("é", 600), rows[1].AggregateID)
	exec(t, pool, `INSERT INTO "order".outbox_parked (id, aggregate_id, exchange, routing_key, state, reason)
		SELECT id, (SELECT string_agg(md5(g::text), '') FROM generate_series(1, 18) AS g), exchange, routing_key, 'dead', 'invalid'
		FROM "order".outbox WHERE id = `+strconv.FormatInt(rows[1].ID, 10))
}
