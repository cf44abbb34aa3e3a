package outboxpg

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

// add inserts a row and says in which partition it is.
func (b *bundle) add(name string) (partition string) {
	b.Helper()
	return value[string](b, `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		VALUES ('test', 'key', $1, '', 'queue', '{}') RETURNING tableoid::regclass::text`, name)
}

// skipTo lets the sequence go on behind id.
func (b *bundle) skipTo(id int64) {
	b.Helper()
	b.change(`SELECT setval('public.outbox_id_seq', $1)`, id)
}

// ahead makes partitions and returns how many.
func (b *bundle) ahead(width int64, ahead int) int {
	b.Helper()
	made, err := b.log.PartitionsAhead(b.ctx, width, ahead)
	require.NoError(b, err)
	return made
}

func TestPartitionsAreMadeAheadOfNeed(t *testing.T) {
	b := setup(t)
	require.Zero(t, b.ahead(1_000_000, 2), "the migration has made the first ones")
	require.Equal(t, "outbox_p1", b.add("first"))
	require.Equal(t, 1, b.ahead(1_000_000, 2))
	require.Zero(t, b.ahead(1_000_000, 2))
	b.skipTo(1_000_000)
	require.Equal(t, "outbox_p1000001", b.add("second"))
	require.Equal(t, 3, b.ahead(500, 4), "another width is as good")

	require.Equal(t, []string{
		"outbox_p1", "outbox_p1000001", "outbox_p2000001", "outbox_p3000001", "outbox_p3000501",
		"outbox_p3001001", "outbox_p3001501",
	}, value[[]string](b, `SELECT array_agg(partition::text ORDER BY first_id) FROM public.outbox_partitions`))
	require.Zero(t, value[int](b, `SELECT count(*) FROM (
		SELECT first_id - 1 - lag(last_id) OVER (ORDER BY first_id) AS gap FROM public.outbox_partitions) AS g WHERE gap <> 0`),
		"each begins where the one before it ends")
	require.Equal(t, 2, value[int](b, `SELECT count(*) FROM public.outbox`))
}

// What a look at the log costs must not grow with what is kept.
func TestPartitionsGetWiderWhereManyAreKept(t *testing.T) {
	b := setup(t)
	require.Equal(t, 6, b.ahead(10, 8))
	b.skipTo(2_000_020)
	require.Equal(t, 2, b.ahead(10, 6), "two have been begun, with the two of the migration")
	require.Equal(t, []int64{10, 10, 20, 20}, value[[]int64](b, `SELECT array_agg(last_id - first_id + 1 ORDER BY first_id)
		FROM public.outbox_partitions WHERE first_id > 2000040 AND last_id < 2000121`))
}

// The reserve takes what nobody made partitions for, and after that it is a partition
// like any other.
func TestTheSequenceLeavesTheReserve(t *testing.T) {
	b := setup(t)
	b.skipTo(2_000_000)
	require.Equal(t, "outbox_p2000001", b.add("unexpected"))
	late := b.begin()
	defer func() { _ = late.Rollback(b.ctx) }()
	id := value[int64](b, `SELECT nextval('public.outbox_id_seq')`)

	require.Equal(t, 2, b.ahead(1000, 2))
	require.Equal(t, "outbox_p1000002000001", b.add("next"))
	require.Equal(t, 1, b.ahead(1000, 2), "one is written to by now")
	b.insertAt(late, id, "late")
	require.NoError(t, late.Commit(b.ctx))

	b.countAsPublished()
	for _, name := range []string{"outbox_p1", "outbox_p1000001", "outbox_p2000001", ""} {
		require.Equal(t, name, b.drop(0))
	}
	require.Equal(t, "next", value[string](b, `SELECT type FROM public.outbox`))
}

func TestInsertsDoWithoutPartitions(t *testing.T) {
	b := setup(t)
	b.change(`DROP TABLE public.outbox_p1, public.outbox_p1000001, public.outbox_p2000001`)
	require.Equal(t, "outbox_default", b.add("alone"))
	b.insertAt(b.pool, 5000, "beyond the sequence")
	require.Equal(t, 2, b.ahead(1000, 2))
	require.Equal(t, "outbox_default", b.add("not yet"))
	b.skipTo(5000)
	require.Equal(t, "outbox_p5001", b.add("together"))
	require.Equal(t, 4, value[int](b, `SELECT count(*) FROM public.outbox`))
}

// As after a restore that set the sequence back.
func TestARowThatTheSequenceDoesNotKnowStays(t *testing.T) {
	b := setup(t)
	b.insertAt(b.pool, 3_000_000, "restored")
	b.add("new")
	require.Equal(t, 1, b.ahead(1000, 2))
	require.Equal(t, "outbox_p2000001", value[string](b, `SELECT tableoid::regclass::text FROM public.outbox WHERE type = 'restored'`))
}

// Rows of outbox_default are read through while writers wait.
func TestALargeDefaultPartitionIsNotReadThrough(t *testing.T) {
	b := setup(t)
	b.insertAt(b.pool, 3_000_000_000_000, "in outbox_default")
	b.add("first")
	_, err := b.pool.Exec(b.ctx, `SELECT public.outbox_partitions_ahead(1000, 2, '1 microsecond')`)
	require.ErrorContains(t, err, "outbox_default holds 8192 bytes")
	require.Equal(t, 1, b.ahead(1000, 2))
}

func TestATableOfSomebodyElseIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := &bundle{T: t, ctx: t.Context(), pool: testenv.Database(t, sagasql.Inbox)}
	b.log = New(b.pool, "")
	require.Zero(t, b.ahead(1000, 2))
	require.Empty(t, b.drop(0))
	trimmed, err := b.log.TrimDefault(b.ctx, 0)
	require.NoError(t, err)
	require.Zero(t, trimmed)
}

func TestOnlyTheOwnerChangesPartitions(t *testing.T) {
	b := setup(t)
	config := b.pool.Config().Copy()
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `SET ROLE pg_write_all_data`)
		return err
	}
	pool, err := pgxpool.NewWithConfig(b.ctx, config)
	require.NoError(t, err)
	defer pool.Close()
	_, err = New(pool, "").PartitionsAhead(b.ctx, 1000, 5)
	var lacking *RightsError
	require.ErrorAs(t, err, &lacking)
	require.Contains(t, lacking.Statements, "ALTER TABLE public.outbox OWNER TO pg_write_all_data", "the owner is a superuser: nobody is to become one")
	_, err = New(pool, "").DropPartition(b.ctx, time.Hour)
	require.ErrorAs(t, err, &lacking)
}
