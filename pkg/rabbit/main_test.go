package rabbit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/rabbit"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// patience bounds every wait of a test; a passing test comes nowhere near.
const patience = 30 * time.Second

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// at is a configuration for a URL.
func at(url string) rabbit.Config {
	return rabbit.Config{Name: "rabbit-test", URL: func(context.Context) (string, error) { return url, nil }}
}

// rawChannel is a channel of the client library, to prepare and to look.
func rawChannel(t *testing.T, url string) *amqp.Channel {
	t.Helper()
	connection, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	channel, err := connection.Channel()
	require.NoError(t, err)
	return channel
}

// depth is how many messages are ready in a queue.
func depth(t *testing.T, url, queue string) int {
	t.Helper()
	q, err := rawChannel(t, url).QueueDeclarePassive(queue, true, false, false, false, nil)
	require.NoError(t, err)
	return q.Messages
}

// replies is a queue for tests of the publisher, reached by the default exchange.
const replies = "test.replies"

func declareReplies(t *testing.T, url string) {
	t.Helper()
	require.NoError(t, rabbit.Declare(testContext(t), at(url), rabbit.EventTopology(testenv.Owner, replies)))
}

// to is a record for a queue.
func to(queue string, n int) *outbox.Record {
	return &outbox.Record{
		Message: outbox.Message{
			ID:            uuid.New(),
			AggregateType: "order",
			AggregateID:   fmt.Sprint(n),
			Type:          "order.placed",
			RoutingKey:    queue,
			Payload:       json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)),
		},
		Position:  int64(n),
		CreatedAt: time.Now(),
	}
}

func publisher(t *testing.T, cfg rabbit.Config, window int) *rabbit.Publisher {
	t.Helper()
	p, err := rabbit.OpenPublisher(testContext(t), cfg, window)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func consumer(t *testing.T, cfg rabbit.Config, queue string, prefetch int) *rabbit.Consumer {
	t.Helper()
	c, err := rabbit.OpenConsumer(testContext(t), cfg, rabbit.EventTopology(testenv.Owner, queue), queue, prefetch)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// publishAll publishes the records in one window and returns their outcomes. It
// stops publishing when the session ends; the rest has errNotSent.
func publishAll(t *testing.T, p *rabbit.Publisher, records []*outbox.Record) []error {
	t.Helper()
	ctx := testContext(t)
	waits := make([]func(context.Context) error, 0, len(records))
	for _, r := range records {
		wait, err := p.Publish(ctx, r)
		if err != nil {
			break
		}
		waits = append(waits, wait)
	}
	outcomes := make([]error, len(records))
	for i := range outcomes {
		if outcomes[i] = errNotSent; i < len(waits) {
			outcomes[i] = waits[i](ctx)
		}
	}
	return outcomes
}

var errNotSent = errors.New("not sent")

// receive takes one batch.
func receive(t *testing.T, c *rabbit.Consumer, max int) inbox.Batch {
	t.Helper()
	batch, err := c.Receive(testContext(t), max)
	require.NoError(t, err)
	return batch
}

// drain receives and acknowledges until it has n deliveries.
func drain(t *testing.T, c *rabbit.Consumer, n int) []inbox.Delivery {
	t.Helper()
	var all []inbox.Delivery
	for len(all) < n {
		batch := receive(t, c, n)
		all = append(all, batch.Deliveries()...)
		require.NoError(t, batch.Ack())
	}
	return all
}
