package outboxpg

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
)

// A position that was loaded at another present of the server is used for nothing: neither
// by any way of reading nor to write.
func TestAPositionOfAnotherPresentIsNotUsed(t *testing.T) {
	b := setup(t)
	for _, name := range numbered("m", firstAsk+10) {
		b.insert(b.pool, "k", name)
	}
	tenure := b.acquire("one")
	page, err := tenure.Read(b.ctx, tenure.Position(), 10)
	require.NoError(t, err)
	require.False(t, page.Last())
	within, here := tenure.window, tenure.present

	tenure.present = "2/0"
	refused := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, ErrMoved)
	}
	_, err = tenure.Read(b.ctx, page.End(), 10) // a page
	refused(err)
	tenure.window.sparse = true
	_, err = tenure.Read(b.ctx, page.End(), 10)
	refused(err)
	tenure.window, tenure.many = window{}, false
	_, err = tenure.Read(b.ctx, tenure.Position(), 10) // news
	refused(err)
	_, err = tenure.Read(b.ctx, page.End(), 10) // a window
	refused(err)
	_, err = tenure.readOneByOne(b.ctx, []any{tenure.present, within.settled, within.ends, 0, 100, 10, 0, 1})
	refused(explain(err))
	_, err = tenure.Save(b.ctx, Progress{Position: page.End()})
	refused(err)
	refused(tenure.Release(b.ctx, Progress{Position: page.End()}))
	require.Equal(t, "1:1:", value[string](b, `SELECT settled::text FROM public.outbox_position`))

	// The same server, and a position that lies in its future: an older state was restored.
	tenure.present = here
	ahead := Position{settled: value[string](b, `SELECT (pg_snapshot_xmax(s)::text::bigint + 1000) || ':' || (pg_snapshot_xmax(s)::text::bigint + 1000) || ':' FROM pg_current_snapshot() AS s`)}
	_, err = tenure.Read(b.ctx, ahead, 10)
	refused(err)
	_, err = tenure.Save(b.ctx, Progress{Position: ahead})
	refused(err)

	again := b.acquire("one")
	got, _ := b.drain(again, again.Position(), 10)
	require.Len(t, got, firstAsk+10, "what the database has is read from where the database says")
}

// A changed timeline is told once, and kept for people.
func TestAChangedTimelineIsTold(t *testing.T) {
	b := setup(t)
	require.Zero(t, b.acquire("one").FormerTimeline(), "the first lease has none before it")
	require.Zero(t, b.acquire("one").FormerTimeline())
	b.change(`UPDATE public.outbox_position SET timeline = 7`)
	require.EqualValues(t, 7, b.acquire("one").FormerTimeline())
	require.Zero(t, b.acquire("one").FormerTimeline())
	require.EqualValues(t, 1, b.lag().Timeline)
	require.WithinDuration(t, time.Now(), *b.lag().TimelineChangedAt, time.Minute)
}

// Where the role may not ask for them, nothing stops.
func TestTheTimelineIsNotKnown(t *testing.T) {
	b := setup(t)
	b.exec(`REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn), pg_current_wal_insert_lsn(), pg_postmaster_start_time() FROM PUBLIC`)
	role, pool := testenv.Login(t, b.pool)
	log := New(pool, "")
	b.heal(log, TaskPublish)
	b.insert(b.pool, "k", "m")
	tenure, err := log.Acquire(b.ctx, 0, role, time.Minute)
	require.NoError(t, err)
	require.Equal(t, "unknown/unknown", tenure.present)
	got, end := b.drain(tenure, tenure.Position(), 10)
	require.Equal(t, []string{"m"}, got)
	b.save(tenure, Progress{Position: end})
}

// A policy that comes later hides nothing in silence.
func TestRowsThatAPolicyHidesAreAnError(t *testing.T) {
	b, role, log := stranger(t)
	b.heal(log, TaskPublish)
	b.insert(b.pool, "k", "m")
	tenure, err := log.Acquire(b.ctx, 0, "one", time.Minute)
	require.NoError(t, err)
	got, from := b.drain(tenure, tenure.Position(), 10)
	require.Equal(t, []string{"m"}, got)
	b.insert(b.pool, "k", "hidden")
	for table, works := range map[string]func() error{
		"outbox":          func() error { _, err := tenure.Read(b.ctx, from, 10); return err },
		"outbox_parked":   func() error { _, _, _, err := tenure.NextDue(b.ctx, nil); return err },
		"outbox_position": func() error { _, err := tenure.Save(b.ctx, Progress{Position: from}); return err },
		"outbox_member":   func() error { _, err := log.Roster(b.ctx); return err },
	} {
		require.NoError(t, works(), table)
		b.exec(`ALTER TABLE public.` + table + ` ENABLE ROW LEVEL SECURITY`)
		b.exec(`CREATE POLICY none ON public.` + table + ` TO ` + role + ` USING (false)`)
		err := works()
		require.Error(t, err, table)
		require.True(t, LacksRights(err), "%s: %v", table, err)
		b.exec(`ALTER TABLE public.` + table + ` DISABLE ROW LEVEL SECURITY`)
		require.NoError(t, works(), table)
	}
}
