package outboxpg

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"go.example/saga/internal/testenv"
)

// A dump, a report: whoever reads for long. Partitions wait for it and writers do not.
func TestAReaderDelaysThePartitionsAndNoWriter(t *testing.T) {
	b := setup(t)
	b.add("one")
	b.countAsPublished()
	b.skipTo(1_000_000)
	reader := b.begin()
	_, err := reader.Exec(b.ctx, `SELECT count(*) FROM public.outbox`)
	require.NoError(t, err)

	var busy errgroup.Group
	for range 3 {
		busy.Go(func() error {
			for range 5 {
				if err := insert(b.ctx, b.pool, "key", "two"); err != nil {
					return err
				}
			}
			return nil
		})
	}
	_, err = b.log.DropPartition(b.ctx, 0)
	require.ErrorIs(t, err, ErrBusy)
	_, err = b.log.PartitionsAhead(b.ctx, 1000, 2)
	require.ErrorIs(t, err, ErrBusy)
	require.NoError(t, busy.Wait())

	require.NoError(t, reader.Commit(b.ctx))
	require.Equal(t, "outbox_p1", b.drop(0))
	require.Equal(t, 2, b.ahead(1000, 2))
	require.Equal(t, "0", value[string](b, `SHOW lock_timeout`), "the functions leave the session as it was")
}

// What is committed while the lock is waited for is seen under the lock.
func TestARowThatCameWhileTheLockWasAwaitedIsKept(t *testing.T) {
	b := setup(t)
	b.add("one")
	late := b.begin()
	b.insert(late, "key", "late")
	b.countAsPublished()
	b.skipTo(1_000_000)

	dropped := make(chan *string, 1)
	var group errgroup.Group
	group.Go(func() error {
		var name *string
		err := b.pool.QueryRow(b.ctx, `SELECT public.outbox_partition_drop('0', '1 minute')`).Scan(&name)
		dropped <- name
		return err
	})
	require.Eventually(t, func() bool {
		return value[bool](b, `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'public.outbox'::regclass)`)
	}, patience, 5*time.Millisecond)
	require.NoError(t, late.Commit(b.ctx))
	require.NoError(t, group.Wait())
	require.Nil(t, <-dropped)
	require.Equal(t, []string{"one", "late"}, b.names())
}

// Under an old snapshot that row would not be seen.
func TestAnOldSnapshotDropsNothing(t *testing.T) {
	b := setup(t)
	for _, level := range []pgx.TxIsoLevel{pgx.RepeatableRead, pgx.Serializable} {
		tx, err := b.pool.BeginTx(b.ctx, pgx.TxOptions{IsoLevel: level})
		require.NoError(t, err)
		_, err = tx.Exec(b.ctx, `SELECT public.outbox_partition_drop('0')`)
		require.NoError(t, tx.Rollback(b.ctx))
		require.ErrorContains(t, err, "want read committed")
	}
}

// Writers, a relay and two upkeeps at once, with partitions so narrow that they come
// and go all the time: no insert fails and every row is read once.
func TestNothingIsLostWhilePartitionsComeAndGo(t *testing.T) {
	b := setup(t)
	b.skipTo(1_999_900)          // from ordinary partitions over into the reserve
	const writers, rows = 8, 150 // twice the partitions that have to be dropped below
	config := b.pool.Config().Copy()
	config.MaxConns = writers + 4
	testenv.Connections(t, writers+4)
	pool, err := pgxpool.NewWithConfig(b.ctx, config)
	require.NoError(t, err)
	defer pool.Close()
	log := New(pool, "")

	var writing, keeping errgroup.Group
	for w := range writers {
		writing.Go(func() error {
			for i := range rows {
				if err := writeSlowly(b.ctx, pool, fmt.Sprint(w), fmt.Sprintf("%d/%d", w, i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	stop := make(chan struct{})
	var made, dropped atomic.Int64
	for range 2 {
		keeping.Go(func() error { return keepUp(b.ctx, log, stop, &made, &dropped) })
	}

	tenure := b.acquire("relay")
	place := tenure.Position()
	seen := map[string]int{}
	read := func() {
		var names []string
		names, place = b.drain(tenure, place, 100)
		b.save(tenure, Progress{Position: place})
		for _, name := range names {
			seen[name]++
		}
	}
	written := make(chan error, 1)
	go func() { written <- writing.Wait() }()
	for ended := false; !ended; read() {
		select {
		case err := <-written:
			require.NoError(t, err, "no insert fails")
			ended = true
		default:
		}
	}
	read()
	require.Eventually(t, func() bool { read(); return dropped.Load() >= 10 }, patience, 5*time.Millisecond)
	close(stop)
	require.NoError(t, keeping.Wait())
	require.Greater(t, made.Load(), int64(10))
	require.Len(t, seen, writers*rows)
	for name, times := range seen {
		require.Equal(t, 1, times, name)
	}
}

// writeSlowly keeps its transaction open for a moment, on both sides of the insert.
func writeSlowly(ctx context.Context, pool *pgxpool.Pool, key, name string) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_current_xact_id(), pg_sleep(random() * 0.002)`); err != nil {
			return err
		}
		if err := insert(ctx, tx, key, name); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `SELECT pg_sleep(random() * 0.002)`)
		return err
	})
}

// keepUp is an upkeep in a hurry.
func keepUp(ctx context.Context, log *Log, stop chan struct{}, made, dropped *atomic.Int64) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		n, err := log.PartitionsAhead(ctx, 50, 2)
		if err != nil && !errors.Is(err, ErrBusy) {
			return err
		}
		made.Add(int64(n))
		name, err := log.DropPartition(ctx, 0)
		if err != nil && !errors.Is(err, ErrBusy) {
			return err
		}
		if name != "" {
			dropped.Add(1)
		}
		if _, err := log.TrimDefault(ctx, 0); err != nil {
			return err
		}
	}
}
