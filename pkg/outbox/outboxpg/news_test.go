package outboxpg

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What fits into a page is read in one look; of more than that the window is measured,
// and nothing is read twice or left out.
func TestNewsOfAnyNumber(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	place := tenure.Position()
	for _, n := range []int{0, 1, firstAsk - 1, firstAsk, firstAsk + 1, 3*firstAsk + 5, 1, 0, 2} {
		want := numbered("m", n)
		for _, name := range want {
			b.insert(b.pool, "k", name)
		}
		var got []string
		got, place = b.drain(tenure, place, firstAsk)
		require.Len(t, got, len(want), n)
		if n > 0 {
			require.Equal(t, want, got)
		}
	}
}

// A row with the number of a transaction that is yet to come, as a restored dump brings,
// is no news until then: else each look would bring it again.
func TestNewsFromTheFuture(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	b.change(`BEGIN; SET LOCAL outbox.kept_number = 'any';
		INSERT INTO public.outbox (xact, aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		VALUES ((pg_current_xact_id()::text::bigint + 100000)::text::xid8, 'test', 'k', 'from the future', '', 'queue', '{}'); COMMIT`)
	b.insert(b.pool, "k", "now")
	got, place := b.drain(tenure, tenure.Position(), 10)
	require.Equal(t, []string{"now"}, got)
	got, _ = b.drain(tenure, place, 10)
	require.Empty(t, got)
}

// A place within a window of news leads on from there.
func TestAPlaceWithinNews(t *testing.T) {
	b := setup(t)
	for _, name := range numbered("m", 5) {
		b.insert(b.pool, "k", name)
	}
	page, err := b.acquire("one").Read(b.ctx, b.acquire("one").Position(), 10)
	require.NoError(t, err)
	require.Len(t, page.Records, 5)
	require.True(t, page.Last())
	b.insert(b.pool, "k", "later")
	rest, _ := b.drain(b.acquire("one"), page.After(1), 10)
	require.Equal(t, append(numbered("m", 5)[2:], "later"), rest)
}
