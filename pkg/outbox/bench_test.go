package outbox_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	sagasql "go.example/saga/sql"
)

// BenchmarkAppend16 shows what announcements cost 16 writers that commit one message
// each. The ways take turns of half a second in one run; the figures are medians of
// commits a second, and their ratio to the way that announces nothing.
func BenchmarkAppend16(b *testing.B) {
	const writers, turn = 16, 500 * time.Millisecond
	config := testenv.Database(b, sagasql.Outbox).Config()
	config.MaxConns = writers
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	require.NoError(b, err)
	b.Cleanup(pool.Close)

	on := func(channel string) func(ctx context.Context, tx pgx.Tx) error {
		return func(ctx context.Context, tx pgx.Tx) error { return outbox.AppendOn(ctx, tx, channel, message()) }
	}
	silent := on("")
	ways := []struct {
		name   string
		append func(ctx context.Context, tx pgx.Tx) error
	}{
		{"silent", silent},
		{"coalesced", func(ctx context.Context, tx pgx.Tx) error { return outbox.Append(ctx, tx, message()) }},
		{"each", on(outbox.Channel(""))},
	}
	commits(b, pool, writers, turn, silent) // connections and caches
	rates := make([][]float64, len(ways))
	for round := 0; b.Loop(); round++ {
		for i := range ways {
			way := (i + round) % len(ways)
			n := commits(b, pool, writers, turn, ways[way].append)
			rates[way] = append(rates[way], float64(n)/turn.Seconds())
		}
	}
	for i, way := range ways {
		b.ReportMetric(median(rates[i]), way.name+"/s")
		if i > 0 {
			b.ReportMetric(median(rates[i])/median(rates[0]), way.name+"/silent")
		}
	}
}

// commits counts the transactions that the writers commit within a time.
func commits(b *testing.B, pool *pgxpool.Pool, writers int, limit time.Duration, appendTo func(context.Context, pgx.Tx) error) int64 {
	var done atomic.Int64
	var all sync.WaitGroup
	end := time.Now().Add(limit)
	for range writers {
		all.Go(func() {
			for time.Now().Before(end) {
				err := pgx.BeginFunc(b.Context(), pool, func(tx pgx.Tx) error { return appendTo(b.Context(), tx) })
				if err != nil {
					b.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	return done.Load()
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
