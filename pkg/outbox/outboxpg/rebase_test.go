package outboxpg

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// restore does to the outbox what a dump and its restoring do: the same values in new
// rows, in a cluster whose numbers of transactions are others. Here these are shifted.
const restore = `
	CREATE TEMP TABLE o AS TABLE public.outbox;
	CREATE TEMP TABLE p AS TABLE public.outbox_position;
	DELETE FROM public.outbox;
	DELETE FROM public.outbox_position;
	CREATE FUNCTION pg_temp.shift(s pg_snapshot) RETURNS pg_snapshot LANGUAGE sql AS $$
		SELECT (pg_snapshot_xmin(s)::text::bigint + 800000000000 || ':' || pg_snapshot_xmax(s)::text::bigint + 800000000000 || ':' ||
			array_to_string(ARRAY(SELECT x::text::bigint + 800000000000 FROM pg_snapshot_xip(s) AS x), ','))::pg_snapshot $$;
	UPDATE o SET xact = (xact::text::bigint + 800000000000)::text::xid8;
	UPDATE p SET written_in = 42, settled = pg_temp.shift(settled), window_end = pg_temp.shift(window_end);
	INSERT INTO public.outbox OVERRIDING SYSTEM VALUE TABLE o;
	INSERT INTO public.outbox_position TABLE p;`

// published puts five rows into the log, two of them published, in the middle of a
// window.
func (b *bundle) published() (unpublished []string) {
	b.Helper()
	want := numbered("m", 5)
	for _, name := range want {
		b.insert(b.pool, "k", name)
	}
	tenure := b.acquire("one")
	page, err := tenure.Read(b.ctx, tenure.Position(), 10)
	require.NoError(b, err)
	require.NoError(b, tenure.Release(b.ctx, Progress{Position: page.After(1)}))
	return want[2:]
}

func TestRestoredDumpGoesOnWhereItWas(t *testing.T) {
	for name, c := range map[string]struct {
		spoil string
		all   bool
	}{
		"whole, of a cluster that was ahead": {spoil: restore},
		"the position of another cluster says nothing of rows that were written here": {
			spoil: `CREATE TEMP TABLE p AS TABLE public.outbox_position; UPDATE p SET written_in = 42; DELETE FROM public.outbox_position; INSERT INTO public.outbox_position TABLE p`,
			all:   true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			want := b.published()
			if c.all {
				want = numbered("m", 5)
			}
			_, err := b.pool.Exec(b.ctx, c.spoil)
			require.NoError(t, err)
			require.Zero(t, value[int64](b, `SELECT count(*) FROM public.outbox_overview WHERE state = 'published'`),
				"nothing is shown as published by numbers of another cluster")
			running := b.begin()
			_, err = running.Exec(b.ctx, `SELECT pg_current_xact_id()`)
			require.NoError(t, err)

			_, err = b.log.Acquire(b.ctx, 0, "one", time.Minute)
			require.ErrorIs(t, err, ErrForeign)
			pending, err := b.log.Rebase(b.ctx)
			require.NoError(t, err)
			require.EqualValues(t, len(want), pending)
			b.insert(running, "k", "was running")
			require.NoError(t, running.Commit(b.ctx))
			tenure := b.acquire("one")
			got, end := b.drain(tenure, tenure.Position(), 10)
			require.Equal(t, append(want, "was running"), got)
			b.save(tenure, Progress{Position: end})

			pending, err = b.log.Rebase(b.ctx)
			require.NoError(t, err)
			require.Zero(t, pending, "a log that is whole is left alone")
		})
	}
}

// Without a position nothing is known to be published.
func TestRestoredRowsWithoutAPositionArePublished(t *testing.T) {
	b := setup(t)
	b.published()
	_, err := b.pool.Exec(b.ctx, restore+`; DELETE FROM public.outbox_position`)
	require.NoError(t, err)
	_, err = b.log.Acquire(b.ctx, 0, "one", time.Minute)
	require.ErrorIs(t, err, ErrForeign)
	pending, err := b.log.Rebase(b.ctx)
	require.NoError(t, err)
	require.EqualValues(t, 5, pending)
	tenure := b.acquire("one")
	got, _ := b.drain(tenure, tenure.Position(), 2)
	require.Equal(t, numbered("m", 5), got)
}

// pg_upgrade makes a new cluster with the old one's numbers and rows.
func TestUpgradedClusterIsNotForeign(t *testing.T) {
	b := setup(t)
	want := b.published()
	_, err := b.pool.Exec(b.ctx, `ALTER TABLE public.outbox_position DISABLE TRIGGER outbox_position_sign;
		UPDATE public.outbox_position SET written_in = 42, written_by = pg_current_xact_id();
		ALTER TABLE public.outbox_position ENABLE TRIGGER outbox_position_sign`)
	require.NoError(t, err)
	tenure := b.acquire("one")
	got, _ := b.drain(tenure, tenure.Position(), 10)
	require.Equal(t, want, got)
}

// A base backup and a promoted standby keep the cluster's identifier. VACUUM FULL or a
// person's UPDATE make a position no more foreign; nor does a savepoint, within which
// xmin is another number.
func TestOwnPositionIsNotForeign(t *testing.T) {
	b := setup(t)
	want := b.published()
	for _, sql := range []string{
		`VACUUM (FULL, FREEZE) public.outbox_position`,
		`VACUUM (FULL, FREEZE) public.outbox`,
		`UPDATE public.outbox_position SET last_error = 'by hand'`,
		`BEGIN; SAVEPOINT a; SELECT public.outbox_parked_changed(); COMMIT`,
		`BEGIN; SAVEPOINT a; SELECT public.outbox_reshard(2); SELECT public.outbox_reshard(1); COMMIT`,
	} {
		_, err := b.pool.Exec(b.ctx, sql)
		require.NoError(t, err, sql)
	}
	tenure := b.acquire("one")
	got, _ := b.drain(tenure, tenure.Position(), 10)
	require.Equal(t, want, got)
}
