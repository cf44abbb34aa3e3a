package relay

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/outbox"
)

// slow is a session whose broker confirms only when it is let.
type slow struct {
	Publisher
	sent *atomic.Int64
	let  chan struct{}
}

func (s slow) Publish(ctx context.Context, r *outbox.Record) (func(context.Context) error, error) {
	s.sent.Add(1)
	wait, err := s.Publisher.Publish(ctx, r)
	return func(ctx context.Context) error {
		select {
		case <-s.let:
			return wait(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}, err
}

// Large messages fill the flight by their bytes long before the window is full.
func TestUnconfirmedBytesAreBounded(t *testing.T) {
	b := setup(t)
	b.consumeQueue()
	const size, rows = 1 << 20, 80
	_, err := b.pool.Exec(t.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		SELECT 'test', 'k' || n, 'm', '', $1, to_jsonb(repeat('x', $2 - 2)) FROM generate_series(1, $3::int) AS n`, queue, size, rows)
	require.NoError(t, err)
	broker := slow{sent: new(atomic.Int64), let: make(chan struct{})}
	cfg := b.config("one")
	cfg.Window = 4 * rows
	open := opener(b.amqp, cfg.Window)
	cfg.Open = func(ctx context.Context) (_ Publisher, err error) {
		session := broker
		session.Publisher, err = open(ctx)
		return session, err
	}
	b.start(cfg)
	b.eventually("as many as fit", func() bool { return broker.sent.Load() == maxFlight/size })
	require.Never(t, func() bool { return broker.sent.Load() > maxFlight/size }, 200*time.Millisecond, tick)
	close(broker.let)
	b.drained()
	require.EqualValues(t, rows, broker.sent.Load())
}
