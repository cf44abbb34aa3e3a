package relay

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// behindOne writes rows of which every third is of one aggregate. That one is dealt with
// message by message, and the others are sent ahead of the position.
func (b *bundle) behindOne(rows int) {
	b.Helper()
	_, err := b.pool.Exec(b.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		SELECT 'test', CASE n % 3 WHEN 0 THEN 'one' ELSE 'k' || n END, 'm' || n, '', $1, '{}'
		FROM generate_series(0, $2::int - 1) AS n ORDER BY n`, queue, rows)
	require.NoError(b, err)
}

// What was sent ahead of the position when the relay is told to stop is not repeated by
// the next: what stands before it is still sent.
func TestStopClosesTheGaps(t *testing.T) {
	b := setup(t)
	const rows = 3000
	b.behindOne(rows)
	got := b.consumeQueue()
	for range 3 {
		more := len(got.all()) + rows/5
		e := b.start(b.config("one"))
		b.eventually("in the middle", func() bool { return len(got.all()) > more })
		e.stop()
	}
	require.Positive(t, b.lag().Pending)
	b.start(b.config("two"))
	b.drained()
	b.awaitSet(got, names(0, rows))
	require.Zero(t, len(got.all())-rows, "repeated")
}
