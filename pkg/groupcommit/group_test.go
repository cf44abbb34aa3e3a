package groupcommit_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/groupcommit"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func table(t *testing.T) *pgxpool.Pool {
	t.Parallel()
	db := testenv.Database(t)
	_, err := db.Exec(t.Context(), `CREATE TABLE item (id int PRIMARY KEY, xact xid8 DEFAULT pg_current_xact_id());
		CREATE TABLE half (id int)`)
	require.NoError(t, err)
	return db
}

// insert writes two rows, which belong together.
func insert(id int) *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue(`INSERT INTO half VALUES ($1)`, id)
	b.Queue(`INSERT INTO item VALUES ($1)`, id)
	return b
}

func count(t *testing.T, db *pgxpool.Pool, query string) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow(context.Background(), query).Scan(&n))
	return n
}

// Whoever comes while others commit shares a transaction, and everybody's statements
// take effect exactly once or not at all.
func TestManyShareFewTransactions(t *testing.T) {
	db := table(t)
	g := groupcommit.New(db)
	const callers, each, twice = 50, 20, 7
	var all sync.WaitGroup
	var mu sync.Mutex
	refused := 0
	for c := range callers {
		all.Go(func() {
			for n := range each {
				id := c*each + n
				if n%twice == 0 {
					id = 0 // of these the first alone can be
				}
				err := g.Do(t.Context(), insert(id))
				var violated *pgconn.PgError
				if errors.As(err, &violated) && violated.ConstraintName == "item_pkey" {
					mu.Lock()
					refused++
					mu.Unlock()
					continue
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	rows := count(t, db, `SELECT count(*) FROM item`)
	require.Equal(t, callers*each, rows+refused)
	require.Equal(t, callers*(each-3)+1, rows)
	require.Equal(t, rows, count(t, db, `SELECT count(*) FROM item JOIN half USING (id)`))
	require.Equal(t, rows, count(t, db, `SELECT count(*) FROM half`))
	require.Less(t, count(t, db, `SELECT count(DISTINCT xact::text) FROM item`), rows*3/4)
}

// blocked is a database whose batches wait until they are let go.
type blocked struct {
	*pgxpool.Pool

	begun chan int // statements of a batch
	goOn  chan struct{}
}

func (b blocked) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	b.begun <- batch.Len()
	<-b.goOn
	return b.Pool.SendBatch(ctx, batch)
}

// Who gives up while he waits has done nothing; who gives up later does not know, and
// the others are served in either case.
func TestGivingUp(t *testing.T) {
	db := table(t)
	b := blocked{db, make(chan int), make(chan struct{})}
	g := groupcommit.New(b)
	do := func(ctx context.Context, id int) chan error {
		result := make(chan error, 1)
		go func() { result <- g.Do(ctx, insert(id)) }()
		return result
	}
	one := do(t.Context(), 1)
	require.Equal(t, 2, <-b.begun)
	two := do(t.Context(), 2)
	require.Equal(t, 2, <-b.begun)

	soon, giveUp := context.WithCancel(t.Context())
	three := do(soon, 3)
	require.Eventually(t, func() bool { return g.Waiting() == 1 }, 10*time.Second, time.Millisecond)
	giveUp()
	require.ErrorContains(t, <-three, "nothing was done")
	require.ErrorIs(t, g.Do(soon, insert(3)), context.Canceled)

	taken, giveUp := context.WithCancel(t.Context())
	four, five := do(taken, 4), do(t.Context(), 5)
	b.goOn <- struct{}{}
	require.NoError(t, <-either(one, two))
	for served := 0; served < 4; { // 4 and 5, together or not
		served += <-b.begun
		if served < 4 {
			b.goOn <- struct{}{}
		}
	}
	giveUp()
	close(b.goOn)
	go func() {
		for range b.begun {
		}
	}()
	require.NoError(t, <-five)
	if err := <-four; err != nil {
		require.ErrorContains(t, err, "the outcome is unknown")
	}
	require.Eventually(t, func() bool { return count(t, db, `SELECT count(*) FROM item`) == 4 }, 10*time.Second, 5*time.Millisecond)
	close(b.begun)
}

func either(one, two chan error) chan error {
	first := make(chan error, 1)
	go func() {
		select {
		case err := <-one:
			first <- err
		case err := <-two:
			first <- err
		}
	}()
	return first
}

func TestNobodyWaitsAlone(t *testing.T) {
	db := table(t)
	require.NoError(t, groupcommit.New(db).Do(t.Context(), insert(1)))
	require.NoError(t, groupcommit.New(db).Do(t.Context(), insert(2)))
	require.Equal(t, 2, count(t, db, `SELECT count(*) FROM item`))
}
