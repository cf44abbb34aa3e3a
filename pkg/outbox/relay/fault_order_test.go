package relay

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A transaction that began early and committed late has lower ids than what the
// position waits for. It may fill the window; the position must get on all the same.
func TestLateCommitDoesNotFillTheWindowForGood(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	cfg, blocked, _ := b.moodyConfig()
	cfg.Page = 200
	blocked.Store(true)
	late, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	const rows = 150
	_, err = late.Exec(t.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		SELECT 'test', 'k' || n, 'm' || n, '', $1, '{}' FROM generate_series(0, $2::int - 1) AS n ORDER BY n`, queue, rows)
	require.NoError(t, err)
	b.insertTo("", queue, "", rows, rows+5)

	e := b.start(cfg)
	b.eventually("the younger ones wait to be sent", func() bool { return e.Status().InWork >= 5 })
	require.NoError(t, late.Commit(t.Context()))
	b.eventually("and so do the late ones", func() bool { return e.Status().InWork >= rows+5 })
	blocked.Store(false)
	b.awaitSet(got, names(0, rows+5))
	b.drained()
	require.Zero(t, len(got.all())-rows-5, "repeated")
}
