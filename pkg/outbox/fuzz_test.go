package outbox_test

import (
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
)

// FuzzValidate: no message panics, and one that passes keeps every promise that can
// be checked without a database.
func FuzzValidate(f *testing.F) {
	for _, c := range verdicts {
		if m := message(c.change); len(m.Payload) < 10_000 && len(m.Headers) < 10 {
			for name, value := range m.Headers {
				f.Add(m.AggregateID, m.Exchange, m.RoutingKey, m.ReplyTo, m.ContentType, name, value, m.Payload, m.DeliverAt.Unix())
			}
		}
	}
	f.Fuzz(func(t *testing.T, id, exchange, key, replyTo, contentType, name, value string, payload []byte, at int64) {
		m := outbox.Message{
			AggregateType: "a", AggregateID: id, Type: "t", Exchange: exchange, RoutingKey: key,
			ReplyTo: replyTo, ContentType: contentType, Headers: map[string]string{name: value}, Payload: payload,
			DeliverAt: time.Unix(at, 0),
		}
		if err := outbox.Validate(m); err != nil {
			var invalid *outbox.ValidationError
			require.ErrorAs(t, err, &invalid)
			require.NotEmpty(t, invalid.Field)
			require.NotEmpty(t, invalid.Reason)
			return
		}
		require.NotEmpty(t, id)
		require.NotEmpty(t, exchange+key)
		for _, text := range []string{id, exchange, key, replyTo, contentType, name, value} {
			require.LessOrEqual(t, len(text), outbox.MaxName)
			require.True(t, utf8.ValidString(text))
			require.NotContains(t, text, "\x00")
		}
		require.LessOrEqual(t, len(time.Unix(at, 0).UTC().Format(time.RFC3339)), len("2006-01-02T15:04:05Z"))
		if isJSON(m) {
			require.NoError(t, jsonmap.Check(payload))
		} else {
			require.LessOrEqual(t, len(payload), outbox.MaxPayload)
		}
	})
}
