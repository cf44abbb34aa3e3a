package rabbit_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
)

const window = 500

// Not parallel: one thread for everything is where a return that waits for its
// reader would be lost.
func TestReturnsOfAWholeWindow(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	url := testenv.Vhost(t)
	p := publisher(t, at(url), window)
	start := time.Now()
	waits := make([]func(context.Context) error, window)
	for i := range waits {
		wait, err := p.Publish(testContext(t), to("nobody", i))
		require.NoError(t, err)
		waits[i] = wait
	}
	// The worst order: nobody takes a return before all have come.
	require.Eventually(t, func() bool { return p.Returned() == window }, patience, time.Millisecond)
	for i, wait := range waits {
		require.ErrorIs(t, wait(testContext(t)), outbox.ErrUnroutable, "message %d", i)
	}
	require.Less(t, time.Since(start), 4*time.Second, "a full buffer of returns stalls the library for 5 s")
	require.NoError(t, p.Err())
}

func TestReturnedAndRoutedInOneWindow(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	url := testenv.Vhost(t)
	declareReplies(t, url)
	p := publisher(t, at(url), window)
	records := make([]*outbox.Record, window)
	for i := range records {
		records[i] = to(replies, i)
		if i%3 == 0 {
			records[i] = to("nobody", i)
		}
	}
	routed := 0
	for i, err := range publishAll(t, p, records) {
		if i%3 == 0 {
			require.ErrorIs(t, err, outbox.ErrUnroutable, "message %d", i)
			continue
		}
		require.NoError(t, err, "message %d", i)
		routed++
	}
	require.Len(t, drain(t, consumer(t, at(url), replies, 100), routed), routed)
	require.Zero(t, p.Unroutable())
}

func TestSameMessageTwiceInOneWindow(t *testing.T) {
	t.Parallel()
	p := publisher(t, at(testenv.Vhost(t)), 2)
	r := to("nobody", 1)
	for _, err := range publishAll(t, p, []*outbox.Record{r, r}) {
		require.ErrorIs(t, err, outbox.ErrUnroutable)
	}
	require.Zero(t, p.Unroutable())
}

func TestCommandBeforeItsParticipantIsUnroutable(t *testing.T) {
	t.Parallel()
	p := publisher(t, at(testenv.Vhost(t)), 1)
	r := to("room-booking", 1)
	r.Exchange = protocol.ExchangeCommands
	require.ErrorIs(t, publishAll(t, p, []*outbox.Record{r})[0], outbox.ErrUnroutable)
	require.NoError(t, p.Err())
}

func TestBadExchangeInTheMiddleOfAWindow(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	const n, bad = 1001, 500
	records := make([]*outbox.Record, n)
	for i := range records {
		records[i] = to(replies, i)
	}
	records[bad].Exchange = "nowhere"

	p := publisher(t, at(url), n)
	outcomes := publishAll(t, p, records)
	<-p.Done()
	require.ErrorContains(t, p.Err(), "no exchange 'nowhere'")
	require.Error(t, outcomes[bad])

	var again []*outbox.Record
	for i, err := range outcomes {
		require.NotErrorIs(t, err, outbox.ErrNacked, "message %d: the end of a channel is no nack", i)
		if err != nil && !errors.Is(err, errNotSent) {
			require.ErrorIs(t, err, outbox.ErrFatal, "message %d", i)
		}
		if err != nil && i != bad {
			again = append(again, records[i])
		}
	}
	require.NotEmpty(t, again)
	require.NoError(t, p.Close())
	for _, err := range publishAll(t, publisher(t, at(url), n), again) {
		require.NoError(t, err)
	}

	seen := map[string]bool{}
	c := consumer(t, at(url), replies, n)
	for len(seen) < n-1 {
		for _, d := range drain(t, c, 1) {
			seen[d.MessageID] = true
		}
	}
	require.NotContains(t, seen, records[bad].ID.String())
}

func TestNack(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	_, err := rawChannel(t, url).QueueDeclare("small", true, false, false, false, amqp.Table{
		amqp.QueueTypeArg:   amqp.QueueTypeClassic, // a virtual host may have another default
		amqp.QueueMaxLenArg: 10, amqp.QueueOverflowArg: amqp.QueueOverflowRejectPublish,
	})
	require.NoError(t, err)
	p := publisher(t, at(url), 100)
	records := make([]*outbox.Record, 100)
	for i := range records {
		records[i] = to("small", i)
	}
	stored := 0
	for i, err := range publishAll(t, p, records) {
		if err == nil {
			stored++
			continue
		}
		require.ErrorIs(t, err, outbox.ErrNacked, "message %d", i)
	}
	require.Equal(t, stored, depth(t, url, "small"))
	require.Less(t, stored, 100)
	require.NoError(t, p.Err(), "a nack does not end the session")
}

func TestWindowHoldsUntilSettled(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	p := publisher(t, at(url), 1)
	ctx := testContext(t)
	wait, err := p.Publish(ctx, to(replies, 1))
	require.NoError(t, err)

	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = p.Publish(short, to(replies, 2))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, p.Err(), "the end of the caller's context is not the session's")

	require.NoError(t, wait(ctx))
	require.NoError(t, publishAll(t, p, []*outbox.Record{to(replies, 3)})[0])
	require.Equal(t, 2, depth(t, url, replies))
}
