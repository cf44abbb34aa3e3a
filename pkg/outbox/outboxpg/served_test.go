package outboxpg

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
)

func (b *bundle) unserved() (shards, of int) {
	b.Helper()
	shards, of, err := b.log.Unserved(b.ctx)
	require.NoError(b, err)
	return shards, of
}

// Who only appends sees whether a relay holds each shard, with no right on its tables.
func TestAnOutboxWithoutARelayIsSeen(t *testing.T) {
	b := setup(t)
	_, as := testenv.Login(t, b.pool)
	log := New(as, "")
	expect := func(unserved, of int) {
		t.Helper()
		shards, all, err := log.Unserved(b.ctx)
		require.NoError(t, err)
		require.Equal(t, [2]int{unserved, of}, [2]int{shards, all})
	}
	expect(1, 1)
	b.acquire("relay")
	expect(0, 1)
	b.exec(`SELECT outbox_reshard(3)`)
	expect(3, 3)
	b.acquire("relay")
	expect(2, 3)
	b.exec(`UPDATE outbox_position SET lease_until = clock_timestamp() WHERE shard = 0`)
	expect(3, 3)
	b.exec(`DELETE FROM outbox_position`)
	expect(1, 1)
}

// A lease of the future, written before the clock was set back, counts for its own length.
func TestAVoidLeaseServesNobody(t *testing.T) {
	b := setup(t)
	_, err := b.log.Acquire(b.ctx, 0, "dead", time.Second)
	require.NoError(t, err)
	b.exec(`UPDATE public.outbox_position SET lease_until = 'infinity'`)
	shards, _ := b.unserved()
	require.Zero(t, shards)
	require.Eventually(t, func() bool { shards, _ := b.unserved(); return shards == 1 }, 10*time.Second, 20*time.Millisecond)
}

// The loop tells what it finds, and goes on when the database could not be asked.
func TestWhoAppendsIsToldOfAWantOfRelays(t *testing.T) {
	b := setup(t)
	ctx, stop := context.WithCancel(b.ctx)
	told := make(chan error)
	go func() {
		defer close(told)
		b.log.watchService(ctx, func(err error) { told <- err }, serviceWatch{pause: 10 * time.Millisecond, allowed: 100 * time.Millisecond})
	}()
	await := func(what string, ok func(error) bool) {
		t.Helper()
		require.Eventually(t, func() bool { return ok(<-told) }, 20*time.Second, time.Millisecond, what)
	}
	require.NoError(t, <-told, "not at once")
	await("nobody serves it", func(err error) bool { return errors.Is(err, ErrUnserved) })
	b.exec(`ALTER FUNCTION outbox_leases RENAME TO away`)
	await("it cannot be asked", func(err error) bool { return err != nil && !errors.Is(err, ErrUnserved) })
	b.exec(`ALTER FUNCTION away RENAME TO outbox_leases`)
	b.acquire("relay")
	await("it is served", func(err error) bool { return err == nil })
	stop()
	drained := 0
	for range told {
		drained++
	}
	require.LessOrEqual(t, drained, 1, "it ends with its context")
}

func TestWhenAWantOfRelaysIsTold(t *testing.T) {
	t.Parallel()
	w := serviceWatch{allowed: unservedAllowed}
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	require.NoError(t, w.judge(1, 1, at(0)))
	require.NoError(t, w.judge(1, 1, at(10)), "one may be starting")
	require.NoError(t, w.judge(0, 1, at(15)))
	require.NoError(t, w.judge(1, 1, at(20)))
	require.NoError(t, w.judge(1, 1, at(30)))
	require.Equal(t, ErrUnserved, w.judge(1, 1, at(40)))
	err := w.judge(1, 3, at(50))
	require.ErrorIs(t, err, ErrUnserved)
	require.ErrorContains(t, err, "1 of its 3 shards")
	require.NoError(t, w.judge(0, 3, at(60)))
}
