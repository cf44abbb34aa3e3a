package rabbit_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/rabbit"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	c := consumer(t, at(url), replies, 10)
	r := &outbox.Record{
		Message: outbox.Message{
			ID:            uuid.New(),
			AggregateType: "saga",
			AggregateID:   "a b/ü",
			Type:          "command",
			RoutingKey:    replies,
			CorrelationID: "saga-1",
			ReplyTo:       "saga.replies",
			ContentType:   "application/problem+json",
			Headers:       map[string]string{"cloudEvents_sagaop": "REQUEST", "traceparent": "00-ab", "empty": "", "cloudEvents_id": "forged"},
			Payload:       json.RawMessage(`{"amount": 12345678901234567890.10}`),
		},
		CreatedAt: time.Now(),
		Service:   "trips",
	}
	require.NoError(t, publishAll(t, publisher(t, at(url), 1), []*outbox.Record{r})[0])
	came := drain(t, c, 1)[0]
	require.NotNil(t, came.Original, "what it takes to put it back")
	came.Original = nil
	require.Equal(t, inbox.Delivery{
		MessageID:     r.ID.String(),
		CorrelationID: "saga-1",
		Type:          "command",
		ReplyTo:       "saga.replies",
		ContentType:   "application/problem+json",
		AppID:         "rabbit-test",
		RoutingKey:    replies,
		Queue:         replies,
		Timestamp:     time.Unix(r.CreatedAt.Unix(), 0),
		Headers: map[string]string{
			"cloudEvents_specversion": "1.0",
			"cloudEvents_id":          r.ID.String(),
			"cloudEvents_source":      "/trips/saga/a%20b%2F%C3%BC",
			"cloudEvents_type":        "command",
			"cloudEvents_sagaop":      "REQUEST",
			"traceparent":             "00-ab",
			"empty":                   "",
		},
		Body: []byte(`{"amount": 12345678901234567890.10}`),
	}, came)
}

// What only the wire shows: persistence, the time, the default content type; and
// the headers of one message do not stay for the next.
func TestProperties(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	first, second := to(replies, 1), to(replies, 2)
	first.Headers = map[string]string{"only": "first"}
	for _, err := range publishAll(t, publisher(t, at(url), 2), []*outbox.Record{first, second}) {
		require.NoError(t, err)
	}
	channel := rawChannel(t, url)
	d, _, err := channel.Get(replies, true)
	require.NoError(t, err)
	require.Contains(t, d.Headers, "only")
	require.EqualValues(t, 2, d.DeliveryMode)
	require.Equal(t, "application/json", d.ContentType)
	require.Equal(t, first.CreatedAt.Unix(), d.Timestamp.Unix())
	d, _, err = channel.Get(replies, true)
	require.NoError(t, err)
	require.Contains(t, d.Headers, "cloudEvents_id")
	require.NotContains(t, d.Headers, "only")
}

func TestUnpublishable(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	p := publisher(t, at(url), 10)
	long := strings.Repeat("x", 256)
	for name, spoil := range map[string]func(*outbox.Record){
		"exchange":      func(r *outbox.Record) { r.Exchange = long },
		"routing key":   func(r *outbox.Record) { r.RoutingKey = long },
		"type":          func(r *outbox.Record) { r.Type = long },
		"correlation":   func(r *outbox.Record) { r.CorrelationID = long },
		"reply to":      func(r *outbox.Record) { r.ReplyTo = long },
		"content type":  func(r *outbox.Record) { r.ContentType = long },
		"direct reply":  func(r *outbox.Record) { r.ReplyTo = "amq.rabbitmq.reply-to" },
		"header name":   func(r *outbox.Record) { r.Headers = map[string]string{long: ""} },
		"CC":            func(r *outbox.Record) { r.Headers = map[string]string{"CC": "q"} },
		"BCC":           func(r *outbox.Record) { r.Headers = map[string]string{"BCC": "q"} },
		"headers' size": func(r *outbox.Record) { r.Headers = map[string]string{"h": strings.Repeat("x", 1<<17)} },
		"payload":       func(r *outbox.Record) { r.Payload = make(json.RawMessage, rabbit.MaxBody+1) },
	} {
		bad := to(replies, 1)
		spoil(bad)
		outcomes := publishAll(t, p, []*outbox.Record{to(replies, 0), bad, to(replies, 2)})
		require.NoError(t, outcomes[0], name)
		require.ErrorIs(t, outcomes[1], outbox.ErrUnpublishable, name)
		require.NoError(t, outcomes[2], name)
	}
	require.NoError(t, p.Err())
	require.Zero(t, p.Unsettled())
}

// The headers that just fit into a frame are published, one byte more is not.
func TestHeadersThatJustFit(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	p := publisher(t, at(url), 1)
	room := largest(p, func(n int) *outbox.Record {
		r := to(replies, 1)
		r.Headers = map[string]string{"pad": strings.Repeat("x", n)}
		return r
	})
	for n, want := range map[int]error{room: nil, room + 1: outbox.ErrUnpublishable} {
		r := to(replies, 1)
		r.Headers = map[string]string{"pad": strings.Repeat("x", n)}
		require.ErrorIs(t, publishAll(t, p, []*outbox.Record{r})[0], want)
	}
	require.Equal(t, 1, depth(t, url, replies))
	require.NoError(t, p.Err())
}

// largest finds the largest n whose record passes the check.
func largest(p *rabbit.Publisher, record func(n int) *outbox.Record) int {
	fits, tooBig := 0, 1<<20
	for fits+1 < tooBig {
		n := (fits + tooBig) / 2
		if p.Check(record(n)) == nil {
			fits = n
		} else {
			tooBig = n
		}
	}
	return fits
}

// Whatever passes the check, the session survives.
func TestWhatPassesTheCheckKeepsTheSession(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	p := publisher(t, at(url), 1)
	lengths := rapid.SampledFrom([]int{0, 1, 36, 254, 255, 256, 300})
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Repeat(rapid.SampledFrom([]string{"x", "\x00", "\xff", "ü", "*", "#"}).Draw(t, "letter"),
			lengths.Draw(t, "length"))
	})
	key := rapid.OneOf(rapid.SampledFrom([]string{"CC", "BCC", "cc", "x-death", "x-match", "cloudEvents_id"}), text)
	rapid.Check(t, func(rt *rapid.T) {
		r := to(text.Draw(rt, "routing key"), 1)
		r.Type = text.Draw(rt, "type")
		r.AggregateType = text.Draw(rt, "aggregate type")
		r.AggregateID = text.Draw(rt, "aggregate id")
		r.CorrelationID = text.Draw(rt, "correlation id")
		r.ReplyTo = rapid.OneOf(rapid.SampledFrom([]string{rabbit.DirectReply, rabbit.DirectReply + ".x"}), text).Draw(rt, "reply to")
		r.ContentType = text.Draw(rt, "content type")
		r.Headers = rapid.MapOfN(key, text, 0, 5).Draw(rt, "headers")
		r.Payload = json.RawMessage(text.Draw(rt, "payload"))
		if err := publishAll(t, p, []*outbox.Record{r})[0]; err != nil {
			require.True(rt, errors.Is(err, outbox.ErrUnroutable) || errors.Is(err, outbox.ErrUnpublishable), err)
		}
		require.NoError(rt, p.Err())
	})
}
