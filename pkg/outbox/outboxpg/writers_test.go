package outboxpg

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"go.example/saga/internal/testenv"
)

const (
	writers   = 16
	rounds    = 40
	contended = 12
)

// Writers with random delays, early transaction numbers, rollbacks and contended
// keys; a reader with small pages beside them. Each committed row is read exactly
// once, and in order within its key.
func TestEachCommittedRowIsReadOnceAndInOrder(t *testing.T) {
	b := setup(t)
	_, err := b.pool.Exec(b.ctx, `CREATE TABLE public.thing (key int PRIMARY KEY, version int NOT NULL DEFAULT 0)`)
	require.NoError(t, err)
	_, err = b.pool.Exec(b.ctx, `INSERT INTO public.thing SELECT generate_series(1, $1)`, contended)
	require.NoError(t, err)
	config := b.pool.Config().Copy()
	config.MaxConns = writers
	testenv.Connections(t, writers)
	pool, err := pgxpool.NewWithConfig(b.ctx, config)
	require.NoError(t, err)
	defer pool.Close()

	var group errgroup.Group
	for range writers {
		group.Go(func() error {
			for range rounds {
				if err := write(b.ctx, pool); err != nil {
					return err
				}
			}
			return nil
		})
	}
	done := make(chan error, 1)
	go func() { done <- group.Wait() }()

	tenure := b.acquire("one")
	place := tenure.Position()
	var got []string
	for writing := true; writing; {
		select {
		case err := <-done:
			require.NoError(t, err)
			writing = false
		default:
		}
		var names []string
		names, place = b.drain(tenure, place, 7)
		got = append(got, names...)
	}

	var want int
	require.NoError(t, b.pool.QueryRow(b.ctx, `SELECT count(*) FROM public.outbox`).Scan(&want))
	require.Greater(t, want, writers*rounds/2)
	require.Len(t, got, want, "each committed row exactly once")
	last := map[string]int{}
	for _, name := range got {
		key, _, _ := strings.Cut(name, "/")
		var version int
		_, err := fmt.Sscanf(name, key+"/%d", &version)
		require.NoError(t, err)
		require.Equal(t, last[key]+1, version, "key %s: rows of one key come in the order of their commits", key)
		last[key] = version
	}
}

// write changes a thing and says so in the outbox, or fails to.
func write(ctx context.Context, pool *pgxpool.Pool) error {
	pause := func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT pg_sleep($1)`, rand.ExpFloat64()*0.003)
		return err
	}
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if rand.IntN(3) == 0 { // a number long before the insert
		if _, err := tx.Exec(ctx, `SELECT pg_current_xact_id()`); err != nil {
			return err
		}
		if err := pause(ctx, tx); err != nil {
			return err
		}
	}
	key, version := rand.IntN(contended)+1, 0
	err = tx.QueryRow(ctx, `UPDATE public.thing SET version = version + 1 WHERE key = $1 RETURNING version`, key).Scan(&version)
	if err != nil {
		return err
	}
	if err := pause(ctx, tx); err != nil {
		return err
	}
	if err := insert(ctx, tx, fmt.Sprint(key), fmt.Sprintf("%d/%d", key, version)); err != nil {
		return err
	}
	if err := pause(ctx, tx); err != nil {
		return err
	}
	if rand.IntN(20) == 0 {
		return tx.Rollback(ctx)
	}
	return tx.Commit(ctx)
}

// Readers that die at random places, each replaced by a new holder: nothing is
// lost, and repeated is only what the dead one had read and not saved.
func TestReadersThatDieLoseNothing(t *testing.T) {
	b := setup(t)
	const page = 5
	want := numbered("m", 200)
	for _, name := range want {
		b.insert(b.pool, "k", name)
	}
	var got []string
	deaths := 0
	for distinct := 0; distinct < len(want); {
		tenure := b.acquire(fmt.Sprint("reader ", deaths))
		place := tenure.Position()
		for range rand.IntN(4) + 1 {
			p, err := tenure.Read(b.ctx, place, page)
			require.NoError(t, err)
			place = p.End()
			for _, r := range p.Records {
				got = append(got, r.Type)
				if r.Type == fmt.Sprint("m", distinct) {
					distinct++
				}
			}
			if n := rand.IntN(page + 1); n > 0 && len(p.Records) >= n {
				b.save(tenure, Progress{Position: p.After(n - 1)})
				if n < len(p.Records) {
					break // the rest of the page is in flight
				}
			}
		}
		deaths++
		_, err := b.pool.Exec(b.ctx, `UPDATE public.outbox_position SET lease_until = clock_timestamp() - $1::interval`, time.Second)
		require.NoError(t, err)
	}
	seen := map[string]bool{}
	for _, name := range got {
		seen[name] = true
	}
	require.Len(t, seen, len(want), "no loss")
	require.LessOrEqual(t, len(got), len(want)+deaths*4*page, "repeated is only what was in flight")
}
