package rabbit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/rabbit"
)

// What is sent arrives as it was given, what has no place to go is told, and the queue goes
// with its dialogue unless answers are still to come.
func TestDialogue(t *testing.T) {
	t.Parallel()
	cfg := at(testenv.Vhost(t))
	const queue = "saga.replies.conformance-1"
	for _, keep := range []bool{false, true} {
		d, err := rabbit.OpenDialogue(testContext(t), cfg, queue)
		require.NoError(t, err)
		m := inbox.Delivery{
			RoutingKey: queue, ContentType: "text/plain", ContentEncoding: "gzip", AppID: "test", Headers: map[string]string{"a": "b"}, Body: []byte("{"),
		}
		require.NoError(t, d.Send(testContext(t), m))
		got := <-d.Heard()
		require.Equal(t, "text/plain gzip test { ", got.ContentType+" "+got.ContentEncoding+" "+got.AppID+" "+string(got.Body)+" "+got.MessageID)
		require.Equal(t, m.Headers, got.Headers)
		m.RoutingKey = "nowhere"
		require.ErrorIs(t, d.Send(testContext(t), m), outbox.ErrUnroutable)
		require.NoError(t, d.Send(testContext(t), inbox.Delivery{RoutingKey: queue}), "it goes on")
		<-d.Heard()
		require.NoError(t, d.Close(keep))
		states, err := rabbit.Inspect(testContext(t), cfg, queue)
		require.NoError(t, err)
		require.Equal(t, keep, states[0].Exists)
		require.ErrorIs(t, d.Send(testContext(t), m), rabbit.ErrClosed)
	}
	// An exchange that is not there ends the session, and says why.
	d, err := rabbit.OpenDialogue(testContext(t), cfg, queue)
	require.NoError(t, err)
	require.ErrorIs(t, d.Send(testContext(t), inbox.Delivery{Exchange: "nowhere", RoutingKey: "x"}), outbox.ErrNoExchange)
	<-d.Done()
	require.NoError(t, d.Close(true))
}
