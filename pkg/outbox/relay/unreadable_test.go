package relay

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A row that no trigger has refused and that is no message is set aside alone, by its id and
// with what is wrong, and everything else goes out. Once it is mended, it goes out too.
func TestAnUnreadableRowIsSetAsideAlone(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	e := b.start(b.config("one"), quickly)
	b.insert(0, 1)
	b.awaitFirsts(got, names(0, 1))
	b.exec(`ALTER TABLE public.outbox DISABLE TRIGGER outbox_checked`)
	b.exec(`INSERT INTO public.outbox (xact, aggregate_type, aggregate_id, type, exchange, routing_key, payload, created_at)
		VALUES (pg_current_xact_id(), 'test', 'bad', 'endless', '', $1, '1', 'infinity')`, queue)
	b.exec(`INSERT INTO public.outbox (xact, aggregate_type, aggregate_id, type, exchange, routing_key, payload, headers)
		VALUES (pg_current_xact_id(), 'test', 'worse', 'headers', '', $1, '1', '["no object"]')`, queue)
	b.exec(`ALTER TABLE public.outbox ENABLE ALWAYS TRIGGER outbox_checked`)
	b.insertTo("", queue, "bad", 1, 2)
	b.insert(2, 4)
	b.awaitFirsts(got, append(names(0, 1), names(2, 4)...))
	b.awaitParked("endless retry unreadable", "headers retry unreadable", "m1 waiting")
	require.Equal(t, Active, e.Status().State)
	require.Contains(t, b.value(`SELECT error FROM public.outbox_parked WHERE id = 2`), "created_at")

	b.exec(`UPDATE public.outbox SET created_at = now() WHERE id = 2`)
	b.exec(`UPDATE public.outbox SET headers = '{}' WHERE id = 3`)
	b.eventually("both go out, and what waited", func() bool { return len(got.firsts()) == 6 })
	b.awaitParked()
}

func (b *bundle) value(sql string) (text string) {
	b.Helper()
	require.NoError(b, b.pool.QueryRow(b.Context(), sql).Scan(&text))
	return text
}

// What is known of old rows is nothing to new ones after a TRUNCATE, whatever was scheduled,
// discarded or waited before.
func TestNewRowsAfterATruncate(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	b.start(b.config("one"), quickly)
	b.insertTo("", "nowhere", "old", 0, 2)
	b.awaitParked("m0 retry unroutable", "m1 waiting")
	_, err := b.pool.Exec(t.Context(), `TRUNCATE public.outbox RESTART IDENTITY`)
	require.ErrorContains(t, err, "is not published")
	b.exec(`SELECT public.outbox_parked_discard('{1,2}', 'a test')`)
	b.exec(`TRUNCATE public.outbox RESTART IDENTITY`)
	b.exec(`INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload, deliver_at)
		VALUES ('test', 'old', 'later', '', $1, '1', now() + interval '1 s')`, queue)
	b.insertTo("", queue, "old", 5, 7)
	b.eventually("all go out", func() bool { return len(got.firsts()) == 3 })
	require.ElementsMatch(t, append(names(5, 7), "later"), got.firsts())
	b.awaitParked()
	require.Equal(t, "published published published", b.value(`SELECT string_agg(state, ' ') FROM public.outbox_overview`))
}

// Rows that were copied in under ids of their own leave the sequence behind: upkeep sets it,
// and says so.
func TestUpkeepSetsASequenceThatIsBehind(t *testing.T) {
	x := tend(t, 1)
	x.exec(`INSERT INTO public.outbox (id, aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		OVERRIDING SYSTEM VALUE SELECT n, 'test', 'k', 'copied', '', 'queue', '{}' FROM generate_series(1, 5) AS n`)
	require.Eventually(t, func() bool { return x.said.FilterMessageSnippet("its sequence was set").Len() == 1 }, patience, tick)
	x.exec(`INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		VALUES ('test', 'k', 'm', '', 'queue', '{}')`)
}
