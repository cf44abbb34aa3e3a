package groupcommit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
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

// insert writes two rows for each id, which belong together.
func insert(db *pgxpool.Pool) func(context.Context, []int) error {
	return func(ctx context.Context, ids []int) error {
		b := &pgx.Batch{}
		b.Queue(`INSERT INTO half SELECT unnest($1::int[])`, ids)
		b.Queue(`INSERT INTO item SELECT unnest($1::int[])`, ids)
		return db.SendBatch(ctx, b).Close()
	}
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
	g := groupcommit.New(insert(db))
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
				err := g.Do(t.Context(), id)
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

// Who gives up while he waits has done nothing; who gives up later does not know, and
// the others are served in either case.
func TestGivingUp(t *testing.T) {
	db := table(t)
	begun, goOn := make(chan int), make(chan struct{})
	g := groupcommit.New(func(ctx context.Context, ids []int) error {
		begun <- len(ids)
		<-goOn
		return insert(db)(ctx, ids)
	})
	do := func(ctx context.Context, id int) chan error {
		result := make(chan error, 1)
		go func() { result <- g.Do(ctx, id) }()
		return result
	}
	one := do(t.Context(), 1)
	require.Equal(t, 1, <-begun)

	soon, giveUp := context.WithCancel(t.Context())
	three := do(soon, 3)
	require.Eventually(t, func() bool { return g.Waiting() == 1 }, 10*time.Second, time.Millisecond)
	giveUp()
	require.ErrorIs(t, <-three, groupcommit.ErrNothingDone)
	require.ErrorIs(t, g.Do(soon, 3), context.Canceled)

	// The first who waits will lead, and so does not look at his context.
	four := do(t.Context(), 4)
	require.Eventually(t, func() bool { return g.Waiting() == 1 }, 10*time.Second, time.Millisecond)
	taken, giveUp := context.WithCancel(t.Context())
	five := do(taken, 5)
	require.Eventually(t, func() bool { return g.Waiting() == 2 }, 10*time.Second, time.Millisecond)
	goOn <- struct{}{}
	require.NoError(t, <-one)
	require.Equal(t, 2, <-begun)
	giveUp()
	require.ErrorContains(t, <-five, "the outcome is unknown")
	close(goOn)
	require.NoError(t, <-four)
	require.Eventually(t, func() bool { return count(t, db, `SELECT count(*) FROM item`) == 3 }, 10*time.Second, 5*time.Millisecond)
}

func TestNobodyWaitsAlone(t *testing.T) {
	db := table(t)
	g := groupcommit.New(insert(db))
	require.NoError(t, g.Do(t.Context(), 1))
	require.NoError(t, g.Do(t.Context(), 2))
	require.Equal(t, 2, count(t, db, `SELECT count(*) FROM item`))
}

func TestAPanicIsAnError(t *testing.T) {
	t.Parallel()
	g := groupcommit.New(func(context.Context, []int) error { panic("planted") })
	for range 2 { // the first leads, and has to leave the lead
		require.ErrorContains(t, g.Do(t.Context(), 1), "planted")
	}
}

// What certainly was not done is divided, what may have been is not done again.
func TestOnlyWhatWasNotDoneIsDivided(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		divided bool
	}{
		"refused":  {&pgconn.PgError{Severity: "FEHLER", SeverityUnlocalized: "ERROR"}, true},
		"not sent": {fmt.Errorf("%w: too large", groupcommit.ErrNothingDone), true},
		"cut off":  {&pgconn.PgError{Severity: "FATAL", SeverityUnlocalized: "FATAL"}, false},
		"a pooler": {&pgconn.PgError{Severity: "FATAL"}, false},
		"lost":     {io.ErrUnexpectedEOF, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, goOn := make(chan struct{}), make(chan struct{})
			var mu sync.Mutex
			var sizes []int
			g := groupcommit.New(func(_ context.Context, items []int) error {
				if items[0] == 0 { // the others wait for it
					first <- struct{}{}
					<-goOn
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				sizes = append(sizes, len(items))
				if slices.Contains(items, 1) {
					return c.err
				}
				return nil
			})
			var all sync.WaitGroup
			all.Go(func() { assert.NoError(t, g.Do(t.Context(), 0)) })
			<-first
			errs := make([]error, 5)
			for i := 1; i < len(errs); i++ {
				all.Go(func() { errs[i] = g.Do(t.Context(), i) })
			}
			require.Eventually(t, func() bool { return g.Waiting() == 4 }, 10*time.Second, time.Millisecond)
			close(goOn)
			all.Wait()
			require.ErrorIs(t, errs[1], c.err)
			for _, err := range errs[2:] {
				if c.divided {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, c.err)
				}
			}
			require.Equal(t, 4, sizes[0])
			require.Equal(t, c.divided, len(sizes) > 1)
		})
	}
}
