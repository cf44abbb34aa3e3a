package outboxpg

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// insertAt inserts a row whose id was drawn before.
func (b *bundle) insertAt(db execer, id int64, name string) {
	b.Helper()
	_, err := db.Exec(b.ctx, `INSERT INTO public.outbox (id, aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		OVERRIDING SYSTEM VALUE VALUES ($1, 'test', 'key', $2, '', 'queue', '{}')`, id, name)
	require.NoError(b, err)
}

func (b *bundle) drop(keep time.Duration) (name string) {
	b.Helper()
	name, err := b.log.DropPartition(b.ctx, keep)
	require.NoError(b, err)
	return name
}

func (b *bundle) park(name, state string) {
	b.Helper()
	b.change(`INSERT INTO public.outbox_parked (id, aggregate_id, exchange, routing_key, state, reason, note)
		SELECT id, aggregate_id, exchange, routing_key, $2, 'invalid', 'a test' FROM public.outbox WHERE type = $1`, name, state)
}

func (b *bundle) names() []string {
	b.Helper()
	return value[[]string](b, `SELECT coalesce(array_agg(type ORDER BY id), '{}') FROM public.outbox`)
}

func TestAPartitionIsDroppedWhenPublishedAndOld(t *testing.T) {
	b := setup(t)
	b.add("one")
	b.countAsPublished()
	require.Empty(t, b.drop(0), "ids of it can still be drawn")
	b.skipTo(1_000_000)
	require.Empty(t, b.drop(time.Hour), "young")
	unpublished := b.add("two")
	require.Equal(t, "outbox_p1", b.drop(0))
	b.skipTo(2_000_000)
	require.Empty(t, b.drop(0), "not published")
	b.countAsPublished()
	require.Equal(t, unpublished, b.drop(0))
	require.Empty(t, b.drop(0))
	require.Empty(t, b.names())
}

// A shard that stands still, a window in work, and a transaction that the settled
// snapshot has seen running: each keeps the rows that it needs.
func TestEveryShardKeepsItsRows(t *testing.T) {
	b := setup(t)
	b.change(`SELECT public.outbox_reshard(3)`)
	slow := b.begin()
	b.insert(slow, "key", "slow")
	b.add("one")
	b.countAsPublished()
	require.NoError(t, slow.Commit(b.ctx))
	b.skipTo(1_000_000)
	require.Empty(t, b.drop(0), "the slow one was running")
	b.change(`UPDATE public.outbox_position SET settled = pg_current_snapshot() WHERE shard <> 2`)
	require.Empty(t, b.drop(0), "shard 2 has not read it")
	b.countAsPublished()
	require.Equal(t, "outbox_p1", b.drop(0))
}

func TestALogFromADumpLosesNothing(t *testing.T) {
	b := setup(t)
	b.add("restored")
	b.skipTo(1_000_000)
	b.countAsPublished()
	b.change(`CREATE TEMP TABLE p AS TABLE public.outbox_position; DELETE FROM public.outbox_position;
		UPDATE p SET written_in = 42; INSERT INTO public.outbox_position TABLE p`)
	require.Empty(t, b.drop(0))
	b.change(`SELECT public.outbox_rebase()`)
	b.countAsPublished()
	require.Equal(t, "outbox_p1", b.drop(0))
}

func TestParkedRowsOutliveTheirPartition(t *testing.T) {
	b := setup(t)
	for _, name := range []string{"fine", "dead", "discarded"} {
		b.add(name)
	}
	b.park("dead", "dead")
	b.park("discarded", "discarded")
	was := value[string](b, `SELECT o::text FROM public.outbox AS o WHERE type = 'dead'`)
	b.countAsPublished()
	b.skipTo(1_000_000)
	require.Equal(t, "outbox_p1", b.drop(0))
	require.Equal(t, []string{"dead"}, b.names())
	require.Equal(t, was, value[string](b, `SELECT o::text FROM public.outbox AS o`))
	require.Equal(t, []string{"dead"}, value[[]string](b, `SELECT array_agg(state) FROM public.outbox_parked`))

	require.Zero(t, b.trim(0), "still parked")
	b.change(`SELECT public.outbox_parked_discard(array_agg(id), 'a test') FROM public.outbox_parked`)
	require.Zero(t, b.trim(time.Hour), "young")
	require.EqualValues(t, 1, b.trim(0))
	require.Empty(t, b.names())
	require.Zero(t, value[int](b, `SELECT count(*) FROM public.outbox_parked`))
}

func (b *bundle) trim(keep time.Duration) int64 {
	b.Helper()
	rows, err := b.log.TrimDefault(b.ctx, keep)
	require.NoError(b, err)
	return rows
}

func TestAPartitionWithManyParkedRowsStays(t *testing.T) {
	b := setup(t)
	b.change(`INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		SELECT 'test', 'key', 'many', '', 'queue', '{}' FROM generate_series(1, 1001)`)
	b.park("many", "dead")
	b.countAsPublished()
	b.skipTo(2_000_000)
	require.Equal(t, "outbox_p1000001", b.drop(0), "the next one, which is empty")
	require.Empty(t, b.drop(0))
	b.change(`DELETE FROM public.outbox_parked WHERE id = 7`)
	require.Equal(t, "outbox_p1", b.drop(0))
	require.Equal(t, 1000, value[int](b, `SELECT count(*) FROM public.outbox_default`))
}

// A transaction that drew an id and inserts when its partition is gone.
func TestALateRowOfADroppedPartitionIsPublished(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("relay")
	late := b.begin()
	var id int64
	require.NoError(t, late.QueryRow(b.ctx, `SELECT nextval('public.outbox_id_seq') FROM pg_current_xact_id()`).Scan(&id))
	b.skipTo(1_000_000)
	b.add("next")
	names, place := b.drain(tenure, tenure.Position(), 10)
	require.Equal(t, []string{"next"}, names)
	b.save(tenure, Progress{Position: place})
	require.Equal(t, "outbox_p1", b.drop(0))
	b.insertAt(late, id, "late")
	require.Zero(t, b.trim(0))
	require.NoError(t, late.Commit(b.ctx))
	require.Zero(t, b.trim(0), "not published yet")
	names, place = b.drain(tenure, place, 10)
	require.Equal(t, []string{"late"}, names)
	b.save(tenure, Progress{Position: place})
	require.EqualValues(t, 1, b.trim(0))
}

// Batches go on behind rows that have to stay.
func TestTheDefaultPartitionIsTrimmedInBatches(t *testing.T) {
	b := setup(t)
	b.change(`DROP TABLE public.outbox_p1, public.outbox_p1000001, public.outbox_p2000001`)
	for i := range 25 {
		require.Equal(t, "outbox_default", b.add(fmt.Sprint(i)))
	}
	b.change(`INSERT INTO public.outbox_parked (id, aggregate_id, exchange, routing_key, state)
		SELECT id, aggregate_id, exchange, routing_key, 'waiting' FROM public.outbox ORDER BY id LIMIT 12`)
	require.Zero(t, b.trim(0), "not published")
	b.countAsPublished()
	for _, want := range []int64{10, 3, 0} {
		require.Equal(t, want, value[int64](b, `SELECT public.outbox_default_trim('0', 10)`))
	}
	require.Equal(t, numbered("", 12), b.names())
}
