package outboxpg

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
)

func (b *bundle) exec(sql string) {
	b.Helper()
	_, err := b.pool.Exec(b.ctx, sql)
	require.NoError(b, err)
}

func (b *bundle) roster() Roster {
	b.Helper()
	roster, err := b.log.Roster(b.ctx)
	require.NoError(b, err)
	return roster
}

func TestRosterShowsWhoHoldsWhat(t *testing.T) {
	b := setup(t)
	require.Equal(t, Roster{Members: []string{}, Holders: []string{""}}, b.roster())
	b.exec(`SELECT public.outbox_reshard(3)`)
	roster, err := b.log.Enlist(b.ctx, "a", time.Minute)
	require.NoError(t, err)
	require.Equal(t, Roster{Members: []string{"a"}, Holders: []string{"", "", ""}}, roster, "it sees itself")

	for shard, holder := range map[int]string{0: "a", 2: "b"} {
		_, err := b.log.Acquire(b.ctx, shard, holder, time.Minute)
		require.NoError(t, err)
	}
	require.Equal(t, Roster{Members: []string{"a"}, Holders: []string{"a", "", "b"}}, b.roster())
	b.exec(`UPDATE public.outbox_position SET lease_until = clock_timestamp() WHERE shard = 0`)
	require.Equal(t, []string{"", "", "b"}, b.roster().Holders, "an expired lease is free to take")

	require.NoError(t, b.log.Leave(b.ctx, "a"))
	require.Equal(t, Roster{Members: []string{}, Holders: []string{"", "", "b"}}, b.roster())
}

func TestMembersLiveByTheDatabasesClock(t *testing.T) {
	b := setup(t)
	for _, m := range []string{"a", "b"} {
		_, err := b.log.Enlist(b.ctx, m, time.Minute)
		require.NoError(t, err)
	}
	require.ElementsMatch(t, []string{"a", "b"}, b.roster().Members)
	b.exec(`UPDATE public.outbox_member SET seen_until = clock_timestamp()`)
	require.Empty(t, b.roster().Members)
	roster, err := b.log.Enlist(b.ctx, "b", time.Minute)
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, roster.Members)
	var rows int
	require.NoError(t, b.pool.QueryRow(b.ctx, `SELECT count(*) FROM public.outbox_member`).Scan(&rows))
	require.Equal(t, 1, rows, "who went without a word is cleared away")
}

// As after an outage of the database that was longer than their lifetime: each renews
// its own row and clears away the others'. A circle of those who wait would end in an
// error for one of them.
func TestMembersThatComeBackAtOnceDoNotBlockEachOther(t *testing.T) {
	b := setup(t)
	b.exec(`INSERT INTO public.outbox_member SELECT h, clock_timestamp(), '1 min' FROM unnest(ARRAY['a', 'b']) AS h`)
	a := b.begin()
	_, err := a.Exec(b.ctx, `UPDATE public.outbox_member SET seen_until = clock_timestamp() WHERE holder = 'a'`)
	require.NoError(t, err)
	soon, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	_, err = b.log.Enlist(soon, "b", time.Minute)
	require.NoError(t, err, "a, which is being renewed, is left alone")
	require.NoError(t, a.Rollback(b.ctx))

	sweeps := b.begin()
	_, err = sweeps.Exec(b.ctx, `SELECT FROM public.outbox_member WHERE holder = 'b' FOR UPDATE`)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { _, err := b.log.Enlist(b.ctx, "b", time.Minute); done <- err }()
	require.Eventually(t, func() bool {
		var waits bool
		row := b.pool.QueryRow(b.ctx, `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid IN
			(SELECT pid FROM pg_stat_activity WHERE datname = current_database()))`)
		return row.Scan(&waits) == nil && waits
	}, 10*time.Second, 5*time.Millisecond)
	b.exec(`SELECT FROM public.outbox_member WHERE holder = 'a' FOR UPDATE NOWAIT`)
	require.NoError(t, sweeps.Rollback(b.ctx))
	require.NoError(t, <-done)
}

// Its engine finds out what it is and mends it.
func TestLogWithoutShardsIsOneToTake(t *testing.T) {
	b := setup(t)
	b.exec(`DELETE FROM public.outbox_position`)
	require.Equal(t, []string{""}, b.roster().Holders)
}

func TestRosterNamesMissingTables(t *testing.T) {
	t.Parallel()
	log := New(testenv.Database(t), "")
	_, err := log.Roster(t.Context())
	require.ErrorIs(t, err, ErrNotInstalled)
	_, err = log.Enlist(t.Context(), "a", time.Minute)
	require.ErrorIs(t, err, ErrNotInstalled)
	require.ErrorIs(t, log.Leave(t.Context(), "a"), ErrNotInstalled)
}
