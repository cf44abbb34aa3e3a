package rabbit_test

import (
	"context"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/rabbit"
)

// fill publishes n messages to the queue of replies.
func fill(t *testing.T, url string, n int) {
	t.Helper()
	p := publisher(t, at(url), n)
	records := make([]*outbox.Record, n)
	for i := range records {
		records[i] = to(replies, i)
	}
	for _, err := range publishAll(t, p, records) {
		require.NoError(t, err)
	}
}

func TestBatchesUnderLoad(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	const n, max = 1000, 50
	fill(t, url, n)
	c := consumer(t, at(url), replies, 2*max)
	for range n / max {
		// The time that the work on the previous batch takes.
		require.Eventually(t, func() bool { return c.Arrived() >= max }, patience, time.Millisecond)
		batch := receive(t, c, max)
		require.Len(t, batch.Deliveries(), max)
		require.NoError(t, batch.Ack())
	}
	require.NoError(t, c.Close())
	require.Zero(t, depth(t, url, replies))
}

func TestNoLingerWhenIdle(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	c := consumer(t, at(url), replies, 100)
	for range 3 {
		fill(t, url, 1)
		require.Len(t, receive(t, c, 100).Deliveries(), 1)
		require.False(t, c.Lingers())
	}
}

// Under load a batch that is not full waits for more, and without load no longer.
func TestLingerUnderLoad(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	c := consumer(t, at(url), replies, 4)
	fill(t, url, 3)
	require.Eventually(t, func() bool { return c.Arrived() == 3 }, patience, time.Millisecond)
	c.Loaded(1e15) // a load fades within tenths of a second: this much outlasts a pause of a busy machine
	start := time.Now()
	batch := receive(t, c, 4)
	require.Len(t, batch.Deliveries(), 3)
	require.GreaterOrEqual(t, time.Since(start), rabbit.Linger)
	require.NoError(t, batch.Ack())

	c.Loaded(10)
	require.False(t, c.Lingers())
}

func TestPrefetchBoundsWhatIsHeld(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	fill(t, url, 20)
	c := consumer(t, at(url), replies, 5)
	var held int
	for held < 5 {
		held += len(receive(t, c, 100).Deliveries())
	}
	require.Equal(t, 5, held)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := c.Receive(ctx, 100)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, c.Err())
}

// An ack belongs to the session that delivered: late, it acknowledges nothing,
// neither its own deliveries nor those with the same tags of the next session.
func TestLateAck(t *testing.T) {
	t.Parallel()
	broker := testenv.Vhost(t)
	declareReplies(t, broker)
	fill(t, broker, 10)
	proxy := testenv.StartProxy(t, broker)
	old := consumer(t, at(proxy.URL), replies, 10)
	late := receive(t, old, 1)
	proxy.Cut()
	<-old.Done()

	next := consumer(t, at(proxy.URL), replies, 10)
	first := receive(t, next, 1)
	require.ErrorContains(t, late.Ack(), "they will come again")
	_, err := old.Receive(testContext(t), 1)
	require.ErrorContains(t, err, "lost")
	require.NoError(t, next.Err())
	require.NoError(t, next.Close())
	require.ErrorIs(t, first.Ack(), rabbit.ErrClosed)
	require.Eventually(t, func() bool { return depth(t, broker, replies) == 10 }, patience, 50*time.Millisecond)
	require.True(t, receive(t, consumer(t, at(proxy.URL), replies, 10), 1).Deliveries()[0].Redelivered)
}

// Batches and single deliveries are acknowledged in any order, each once.
func TestAckInAnyOrder(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	fill(t, url, 7)
	c := consumer(t, at(url), replies, 10)
	require.Eventually(t, func() bool { return c.Arrived() == 7 }, patience, time.Millisecond)
	first, second, third := receive(t, c, 2), receive(t, c, 2), receive(t, c, 3)
	require.NoError(t, first.AckOnly(1))
	require.NoError(t, second.Ack(), "it must not acknowledge the first delivery as well")
	require.ErrorContains(t, second.Ack(), "acknowledged before", "a tag acknowledged twice would close the channel")
	require.ErrorContains(t, first.Ack(), "acknowledged before")
	require.Error(t, first.AckOnly(2))
	require.NoError(t, third.AckOnly(1))
	require.NoError(t, c.Close())

	again := consumer(t, at(url), replies, 10)
	require.Eventually(t, func() bool { return again.Arrived() == 3 }, patience, time.Millisecond)
	rest := receive(t, again, 10)
	require.Len(t, rest.Deliveries(), 3, "the first, and two of the third")
	require.NoError(t, rest.Ack())
	require.Eventually(t, func() bool { return depth(t, url, replies) == 0 }, patience, 50*time.Millisecond)
}

func TestQueueDeletedUnderConsumer(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	c := consumer(t, at(url), replies, 10)
	failed := make(chan error)
	go func() {
		_, err := c.Receive(context.Background(), 10)
		failed <- err
	}()
	_, err := rawChannel(t, url).QueueDelete(replies, false, false, false)
	require.NoError(t, err)
	select {
	case err := <-failed:
		require.ErrorContains(t, err, replies)
		require.ErrorContains(t, err, "deleted")
	case <-time.After(5 * time.Second):
		t.Fatal("the consumer is deaf")
	}
	require.NoError(t, c.Close())

	// The next session declares the queue again and hears.
	again := consumer(t, at(url), replies, 10)
	fill(t, url, 1)
	require.Len(t, drain(t, again, 1), 1)
}

func TestReceiveEndsWithItsContextAndWithClose(t *testing.T) {
	t.Parallel()
	c := consumer(t, at(testenv.Vhost(t)), replies, 10)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Receive(ctx, 1)
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.Receive(t.Context(), 0)
	require.ErrorContains(t, err, "max")

	failed := make(chan error)
	go func() {
		_, err := c.Receive(context.Background(), 1)
		failed <- err
	}()
	require.NoError(t, c.Close())
	require.ErrorIs(t, <-failed, rabbit.ErrClosed)
}

func TestOnlyStringHeadersAreKept(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	c := consumer(t, at(url), replies, 10)
	err := rawChannel(t, url).PublishWithContext(t.Context(), "", replies, true, false, amqp.Publishing{
		Headers: amqp.Table{"text": "kept", "number": int32(1), "table": amqp.Table{"a": "b"}, "nothing": nil},
	})
	require.NoError(t, err)
	d := drain(t, c, 1)[0]
	require.Equal(t, map[string]string{"text": "kept"}, d.Headers)
	require.Empty(t, d.MessageID)
	require.Empty(t, d.Body)
}
