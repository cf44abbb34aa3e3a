package relay

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// An operator's change sets the desk up anew. What was confirmed ahead of the position
// is not published again by that.
func TestAnOperatorsChangeRepeatsNothing(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	b.insertTo("", "late.queue", "p", 9000, 9001)
	b.start(b.config("one"))
	b.awaitParked("m9000 retry unroutable")
	const rows = 3000
	_, err := b.pool.Exec(t.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		SELECT 'test', CASE WHEN n % 10 = 0 THEN 'hot' ELSE 'k' || n END, 'm' || n, '', $1, '1'
		FROM generate_series(1, $2::int) AS n ORDER BY n`, queue, rows)
	require.NoError(t, err)
	for done := 0; done < rows; {
		_, err := b.pool.Exec(t.Context(), `SELECT public.outbox_parked_retry('{1}')`)
		require.NoError(t, err)
		before := done
		b.eventually("it goes on", func() bool { done = len(got.all()); return done >= min(before+rows/10, rows) })
	}
	b.drained()
	require.Len(t, got.all(), rows)
}

// A replayed message, being older, is no reason for others to overtake a dead one.
func TestAReplayOpensNoWayAroundADeadMessage(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	b.insert(0, 1)
	cfg := b.config("one")
	cfg.RetryFor = 1
	b.start(cfg, quickly)
	b.awaitFirsts(got, names(0, 1))
	b.insertTo("", "late.queue", "k", 1, 2)
	b.insert(2, 5)
	parked := []string{"m1 dead unroutable", "m2 waiting", "m3 waiting", "m4 waiting"}
	b.awaitParked(parked...)
	b.drained()
	_, err := b.pool.Exec(t.Context(), `SELECT public.outbox_replay('{1}')`)
	require.NoError(t, err)
	b.eventually("once more", func() bool { return len(got.all()) == 2 })
	b.awaitParked(parked...)
	require.Equal(t, []string{"m0", "m0"}, got.all())
}
