package relay

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox/outboxpg"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

// BenchmarkDrain publishes a backlog of b.N rows to one quorum queue that nobody
// reads, with the default settings: run it with -benchtime=100000x.
func BenchmarkDrain(b *testing.B) {
	pool := testenv.Database(b, sagasql.Outbox)
	url := testenv.Vhost(b)
	require.NoError(b, rabbit.Declare(b.Context(), rabbitAt(url), rabbit.EventTopology(testenv.Owner, queue)))
	_, err := pool.Exec(b.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, correlation_id, headers, payload)
		SELECT 'reservation', (n % 5000)::text, 'room-booking.request', '', $1, n::text,
			'{"cloudEvents_sagaid": "0193c0de-0000-7000-8000-000000000001", "cloudEvents_sagaop": "request"}',
			jsonb_build_object('hotelId', 1, 'roomId', n, 'startDate', '2026-12-01', 'endDate', '2026-12-05', 'note', repeat('x', 100))
		FROM generate_series(1, $2::int) AS n`, queue, b.N)
	require.NoError(b, err)
	log := outboxpg.New(pool, "")
	engine, err := New(Config{
		Name: "bench", Log: log, Holder: "bench", Open: opener(url, defaultWindow), Logger: zap.NewNop(),
	})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	done := make(chan error, 1)
	b.ResetTimer()
	go func() { done <- engine.Run(ctx) }()
	for engine.Status().PublishedID < int64(b.N) {
		sleep(ctx, tick)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	cancel()
	require.NoError(b, <-done)
}
