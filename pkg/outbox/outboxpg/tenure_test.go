package outboxpg

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
)

func TestLeaseKeepsOthersOut(t *testing.T) {
	b := setup(t)
	first := b.acquire("first")
	_, err := b.log.Acquire(b.ctx, "second", time.Minute)
	var held *HeldError
	require.ErrorAs(t, err, &held)
	require.Equal(t, "first", held.Holder)

	require.NoError(t, first.Release(b.ctx, Progress{Position: first.Position()}))
	second := b.acquire("second")
	require.ErrorIs(t, first.Save(b.ctx, Progress{Position: first.Position()}), ErrLost)
	require.ErrorIs(t, first.Release(b.ctx, Progress{Position: first.Position()}), ErrLost)
	require.NoError(t, second.Save(b.ctx, Progress{Position: second.Position()}))
}

func TestExpiredLeaseIsTakenAndFenced(t *testing.T) {
	b := setup(t)
	b.insert(b.pool, "k", "m")
	zombie := b.acquire("zombie")
	page, err := zombie.Read(b.ctx, zombie.Position(), 10)
	require.NoError(t, err)
	_, err = b.pool.Exec(b.ctx, `UPDATE public.outbox_position SET lease_until = clock_timestamp() - interval '1 s'`)
	require.NoError(t, err)

	next := b.acquire("next")
	require.ErrorIs(t, zombie.Save(b.ctx, Progress{Position: page.End()}), ErrLost)
	got, _ := b.drain(next, next.Position(), 10)
	require.Equal(t, []string{"m"}, got, "the zombie's late write moved nothing")
}

// A relay whose connection broke, so that it could not release its lease, need not
// wait for it.
func TestHolderTakesItsOwnLeaseBack(t *testing.T) {
	b := setup(t)
	former := b.acquire("one")
	again := b.acquire("one")
	require.ErrorIs(t, former.Save(b.ctx, Progress{Position: former.Position()}), ErrLost)
	require.NoError(t, again.Save(b.ctx, Progress{Position: again.Position()}))
	_, err := b.log.Acquire(b.ctx, "other", time.Minute)
	var held *HeldError
	require.ErrorAs(t, err, &held)
}

func TestExpiredLeaseThatNobodyTookIsStillItsOwn(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	_, err := b.pool.Exec(b.ctx, `UPDATE public.outbox_position SET lease_until = clock_timestamp() - interval '1 s'`)
	require.NoError(t, err)
	require.NoError(t, tenure.Save(b.ctx, Progress{Position: tenure.Position()}))
	lag, err := b.log.Lag(b.ctx)
	require.NoError(t, err)
	require.Equal(t, "one", lag.Holder)
	require.Greater(t, lag.LeaseLeft, 50*time.Second)
}

// A reader that dies in the middle of a window leaves the rest, and what it had
// read and not saved, to the next one, which continues the same window.
func TestNextHolderContinuesInsideTheWindow(t *testing.T) {
	b := setup(t)
	want := numbered("m", 20)
	for _, name := range want[:10] {
		b.insert(b.pool, "k", name)
	}
	dead := b.acquire("dead")
	page, err := dead.Read(b.ctx, dead.Position(), 6)
	require.NoError(t, err)
	require.NoError(t, dead.Save(b.ctx, Progress{Position: page.After(3), PublishedID: page.Records[3].Position}))
	_, err = dead.Read(b.ctx, page.End(), 6) // published, never saved
	require.NoError(t, err)
	for _, name := range want[10:] {
		b.insert(b.pool, "k", name)
	}
	_, err = b.pool.Exec(b.ctx, `UPDATE public.outbox_position SET lease_until = clock_timestamp() - interval '1 s'`)
	require.NoError(t, err)

	next := b.acquire("next")
	got, end := b.drain(next, next.Position(), 3)
	require.Equal(t, want[4:], got)
	require.NoError(t, next.Save(b.ctx, Progress{Position: end}))
	lag, err := b.log.Lag(b.ctx)
	require.NoError(t, err)
	require.Equal(t, int64(4), lag.PublishedID)
	require.Zero(t, lag.Pending)
}

func TestMissingTablesAreNamed(t *testing.T) {
	t.Parallel()
	log := New(testenv.Database(t), "")
	_, err := log.Acquire(t.Context(), "one", time.Minute)
	require.ErrorIs(t, err, ErrNotInstalled)
	require.ErrorContains(t, err, "relay migrate")
	_, err = log.Lag(t.Context())
	require.ErrorIs(t, err, ErrNotInstalled)
}

func TestForeignPositionIsRefusedAndRebased(t *testing.T) {
	for name, spoil := range map[string]string{
		"other cluster":      `UPDATE public.outbox_position SET system_identifier = 42`,
		"future snapshot":    `UPDATE public.outbox_position SET settled = '900000000000:900000000000:'`,
		"restored with none": `DELETE FROM public.outbox_position`,
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			want := numbered("m", 5)
			for _, name := range want {
				b.insert(b.pool, "k", name)
			}
			// As in a dump of a cluster that was far ahead of this one.
			_, err := b.pool.Exec(b.ctx, `UPDATE public.outbox SET xact = '800000000000'`)
			require.NoError(t, err)
			_, err = b.pool.Exec(b.ctx, spoil)
			require.NoError(t, err)
			running := b.begin()
			_, err = running.Exec(b.ctx, `SELECT pg_current_xact_id()`)
			require.NoError(t, err)

			_, err = b.log.Acquire(b.ctx, "one", time.Minute)
			require.ErrorIs(t, err, ErrForeign)
			require.ErrorContains(t, err, "outbox_rebase")

			var again int
			require.NoError(t, b.pool.QueryRow(b.ctx, `SELECT public.outbox_rebase(3)`).Scan(&again))
			require.Equal(t, 3, again)
			b.insert(running, "k", "was running")
			require.NoError(t, running.Commit(b.ctx))
			tenure := b.acquire("one")
			got, _ := b.drain(tenure, tenure.Position(), 10)
			require.Equal(t, append(want[2:], "was running"), got)
		})
	}
}

func TestOverviewFollowsThePosition(t *testing.T) {
	b := setup(t)
	for _, name := range numbered("m", 3) {
		b.insert(b.pool, "k", name)
	}
	states := func() (states []string) {
		rows, err := b.pool.Query(b.ctx, `SELECT state FROM public.outbox_overview`)
		require.NoError(t, err)
		for rows.Next() {
			var state string
			require.NoError(t, rows.Scan(&state))
			states = append(states, state)
		}
		require.NoError(t, rows.Err())
		return states
	}
	require.Equal(t, []string{"pending", "pending", "pending"}, states())
	tenure := b.acquire("one")
	page, err := tenure.Read(b.ctx, tenure.Position(), 10)
	require.NoError(t, err)
	require.NoError(t, tenure.Save(b.ctx, Progress{Position: page.After(1), LastError: "why"}))
	require.Equal(t, []string{"published", "published", "pending"}, states())
	lag, err := b.log.Lag(b.ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1), lag.Pending)
	require.Equal(t, "why", lag.LastError)
	require.NoError(t, tenure.Save(b.ctx, Progress{Position: page.End()}))
	b.insert(b.pool, "k", "new")
	require.Equal(t, []string{"published", "published", "published", "pending"}, states())
}
