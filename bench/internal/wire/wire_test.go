package wire

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestMessagesAreRepeatableAndOfOneSize(t *testing.T) {
	t.Parallel()
	const rows = 10_000
	one, other := NewSource("q", rows), NewSource("q", rows)
	keys, ids := map[string]int{}, map[string]bool{}
	for n := range rows {
		m := one.Message(n)
		require.Equal(t, m, other.Message(n))
		require.Len(t, m.Payload, BodySize)
		require.True(t, json.Valid(m.Payload))
		keys[m.AggregateID]++
		ids[m.ID.String()] = true
	}
	require.Len(t, ids, rows)
	require.InDelta(t, rows/rowsPerKey, len(keys), 10)
}

// What PostgreSQL makes of the body is the body.
func TestBodySurvivesJSONB(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t)
	want := NewSource("q", 1).Message(12345).Payload
	var got string
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT $1::text::jsonb::text`, string(want)).Scan(&got))
	require.Equal(t, string(want), got)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	source := NewSource("q", 100)
	arrived := func(change func(*amqp.Delivery)) error {
		p := Publishing(source.Message(7), time.Unix(1, 0))
		d := amqp.Delivery{
			Headers: maps.Clone(p.Headers), ContentType: p.ContentType, DeliveryMode: p.DeliveryMode,
			CorrelationId: p.CorrelationId, ReplyTo: p.ReplyTo, MessageId: p.MessageId,
			Timestamp: p.Timestamp, Type: p.Type, AppId: p.AppId, Body: p.Body,
		}
		change(&d)
		return source.Check(d)
	}
	require.NoError(t, arrived(func(*amqp.Delivery) {}))
	require.NoError(t, arrived(func(d *amqp.Delivery) { d.Headers[deliveryCount] = int64(0) }))
	for name, change := range map[string]func(*amqp.Delivery){
		"a header more":   func(d *amqp.Delivery) { d.Headers["x"] = "y" },
		"a header less":   func(d *amqp.Delivery) { delete(d.Headers, HeaderID) },
		"not persistent":  func(d *amqp.Delivery) { d.DeliveryMode = amqp.Transient },
		"another id":      func(d *amqp.Delivery) { d.MessageId = "x" },
		"no time":         func(d *amqp.Delivery) { d.Timestamp = time.Time{} },
		"another message": func(d *amqp.Delivery) { d.Body = source.Message(8).Payload },
		"no message":      func(d *amqp.Delivery) { d.Body = nil },
	} {
		require.Error(t, arrived(change), name)
	}
}

func TestPropertiesAreThoseOfThePublishing(t *testing.T) {
	t.Parallel()
	created := time.Unix(1, 0)
	want := Publishing(NewSource("q", 1).Message(0), created)
	require.Equal(t, want, Properties(amqp.Publishing{Headers: want.Headers, Body: want.Body}, created))
}
