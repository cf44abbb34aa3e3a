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
	_, err := b.log.Acquire(b.ctx, 0, "second", time.Minute)
	var held *HeldError
	require.ErrorAs(t, err, &held)
	require.Equal(t, "first", held.Holder)

	require.NoError(t, first.Release(b.ctx, Progress{Position: first.Position()}))
	second := b.acquire("second")
	b.isLost(first, Progress{Position: first.Position()})
	require.ErrorIs(t, first.Release(b.ctx, Progress{Position: first.Position()}), ErrLost)
	b.save(second, Progress{Position: second.Position()})
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
	b.isLost(zombie, Progress{Position: page.End()})
	got, _ := b.drain(next, next.Position(), 10)
	require.Equal(t, []string{"m"}, got, "the zombie's late write moved nothing")
}

// A relay whose connection broke, so that it could not release its lease, need not
// wait for it.
func TestHolderTakesItsOwnLeaseBack(t *testing.T) {
	b := setup(t)
	former := b.acquire("one")
	again := b.acquire("one")
	b.isLost(former, Progress{Position: former.Position()})
	b.save(again, Progress{Position: again.Position()})
	_, err := b.log.Acquire(b.ctx, 0, "other", time.Minute)
	var held *HeldError
	require.ErrorAs(t, err, &held)
}

func TestExpiredLeaseThatNobodyTookIsStillItsOwn(t *testing.T) {
	b := setup(t)
	tenure := b.acquire("one")
	_, err := b.pool.Exec(b.ctx, `UPDATE public.outbox_position SET lease_until = clock_timestamp() - interval '1 s'`)
	require.NoError(t, err)
	b.save(tenure, Progress{Position: tenure.Position()})
	lag := b.lag()
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
	b.save(dead, Progress{Position: page.After(3), PublishedID: page.Records[3].Position})
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
	b.save(next, Progress{Position: end})
	lag := b.lag()
	require.Equal(t, int64(4), lag.PublishedID)
	require.Zero(t, lag.Pending)
}

func TestMissingTablesAreNamed(t *testing.T) {
	t.Parallel()
	log := New(testenv.Database(t), "")
	_, err := log.Acquire(t.Context(), 0, "one", time.Minute)
	require.ErrorIs(t, err, ErrNotInstalled)
	require.ErrorContains(t, err, "relay migrate")
	_, err = log.Lag(t.Context())
	require.ErrorIs(t, err, ErrNotInstalled)
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
	b.save(tenure, Progress{Position: page.After(1), LastError: "why"})
	require.Equal(t, []string{"published", "published", "pending"}, states())
	lag := b.lag()
	require.Equal(t, int64(1), lag.Pending)
	require.Equal(t, "why", lag.LastError)
	b.save(tenure, Progress{Position: page.End()})
	b.insert(b.pool, "k", "new")
	require.Equal(t, []string{"published", "published", "published", "pending"}, states())
}
