package testenv

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A server has room for so many connections, and the tests of all packages share it
// while they run side by side, each in a process of its own. So each test says how many
// it needs before it opens one, and begins when there is room. What the tests hold is
// advisory locks of the server, one a connection: they end with the process, however
// that ends.
//
// Nobody who holds something waits for more: a test's further databases are counted,
// not waited for. So tests cannot block each other for ever.

const (
	// lockSpace is the first key of the locks; no program of the project uses it.
	lockSpace = 0x7E57
	// databaseNeeds is a pool, and who listens or administers beside it.
	databaseNeeds = poolSize + 1
	// spare are the connections that nobody counts: those that make and drop databases.
	spare = 12
	// overdraft is what the further needs of all tests may come to.
	overdraft = 10_000
	// roomPoll is how often a test that waits looks.
	roomPoll = 50 * time.Millisecond
)

// Connections says that the test, with its subtests and the programs that it starts, holds
// up to n connections to the server, and waits until there is room. [Database] does so
// for a test that has no more than a database's pool.
func Connections(t testing.TB, n int) {
	t.Helper()
	if err := room.enter(t, servers(t).Postgres.URL, n); err != nil {
		t.Fatalf("wait for room for %d connections: %v", n, err)
	}
}

var room = &roomKeeper{byTest: map[string]*share{}}

type roomKeeper struct {
	waiting sync.Mutex // one test of the process waits at a time

	mu     sync.Mutex
	conn   *pgx.Conn // holds the locks of this process
	size   int
	turn   bool // this process's test is the one that waits for room
	byTest map[string]*share
}

// share is what a test has said that it needs.
type share struct {
	locks []int32
	free  int // of them, for databases that are still to come
}

// enter takes n connections for the test, and waits for them unless it has some already.
func (r *roomKeeper) enter(t testing.TB, url string, n int) error {
	if more, err := r.more(t, n); more || err != nil {
		return err
	}
	r.waiting.Lock()
	defer r.waiting.Unlock()
	for {
		entered, err := r.first(t, url, n)
		if entered || err != nil {
			return err
		}
		select {
		case <-t.Context().Done():
			return t.Context().Err()
		case <-time.After(roomPoll):
		}
	}
}

// more adds to the share of a test that has one, whether there is room or not.
func (r *roomKeeper) more(t testing.TB, n int) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byTest[rootOf(t)] == nil {
		return false, nil
	}
	return true, r.add(t, n, r.size+overdraft)
}

// first gives a test its share if there is room. Whose turn it is waits before all
// others, or those that need little would overtake it again and again.
func (r *roomKeeper) first(t testing.TB, url string, n int) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.connect(url); err != nil {
		return false, err
	}
	if !r.turn {
		turn, err := r.lock(1, 0, 0)
		if err != nil || turn == nil {
			return false, err
		}
		r.turn = true
	}
	n = min(n, r.size) // who wants more than there is gets all
	if err := r.add(t, n, r.size); err != nil || r.byTest[rootOf(t)] == nil {
		return false, err
	}
	r.turn = false
	return true, r.unlock([]int32{0})
}

// add takes n locks of the first size ones for the test, or none.
func (r *roomKeeper) add(t testing.TB, n, size int) error {
	locks, err := r.lock(n, 1, size)
	if err != nil || locks == nil {
		return err
	}
	held := r.byTest[rootOf(t)]
	if held == nil {
		held = &share{}
		r.byTest[rootOf(t)] = held
	}
	held.locks = append(held.locks, locks...)
	held.free += n
	t.Cleanup(func() { r.leave(t, locks) })
	return nil
}

// database takes what a database needs from the test's share, or enters it for so much.
func (r *roomKeeper) database(t testing.TB, url string) error {
	if r.spend(t) {
		return nil
	}
	if err := r.enter(t, url, databaseNeeds); err != nil {
		return err
	}
	r.spend(t)
	return nil
}

// spend takes what a database needs from the test's share, and reports whether it
// sufficed.
func (r *roomKeeper) spend(t testing.TB) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := r.byTest[rootOf(t)]
	if held == nil || held.free < databaseNeeds {
		return false
	}
	held.free -= databaseNeeds
	return true
}

// connect opens the connection that holds the locks, and sees how much room there is
// beside the connections that are not of tests.
func (r *roomKeeper) connect(url string) error {
	if r.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), adminTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	var others int
	err = conn.QueryRow(ctx, `SELECT
		current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer,
		(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
			AND datname <> current_database() AND NOT starts_with(datname, $1))`, prefix).Scan(&r.size, &others)
	if err != nil {
		return fmt.Errorf("ask for the room: %w", err)
	}
	r.conn, r.size = conn, max(r.size-others-spare, 1)
	return nil
}

// lock takes n of the locks from first to last that nobody has. Are there fewer, it takes
// none and returns nil.
func (r *roomKeeper) lock(n, first, last int) ([]int32, error) {
	ctx, cancel := context.WithTimeout(context.Background(), adminTime)
	defer cancel()
	mine := []int32{} // a session may lock again what it holds
	for _, held := range r.byTest {
		mine = append(mine, held.locks...)
	}
	rows, err := r.conn.Query(ctx, `WITH other AS MATERIALIZED (
			SELECT n FROM generate_series($2::integer, $3::integer) n WHERE n <> ALL ($4::integer[]))
		SELECT n FROM other WHERE pg_try_advisory_lock($1, n) LIMIT $5`, lockSpace, first, last, mine, n)
	if err != nil {
		return nil, err
	}
	locks, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil || len(locks) == n {
		return locks, err
	}
	return nil, r.unlock(locks)
}

func (r *roomKeeper) unlock(locks []int32) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminTime)
	defer cancel()
	_, err := r.conn.Exec(ctx, `SELECT pg_advisory_unlock($1, n) FROM unnest($2::integer[]) n`, lockSpace, locks)
	return err
}

func (r *roomKeeper) leave(t testing.TB, locks []int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := r.byTest[rootOf(t)]
	held.locks = slices.DeleteFunc(held.locks, func(lock int32) bool { return slices.Contains(locks, lock) })
	if len(held.locks) == 0 {
		delete(r.byTest, rootOf(t))
	}
	if err := r.unlock(locks); err != nil {
		t.Errorf("give back the room for %d connections: %v", len(locks), err)
	}
}

// close ends the process's part.
func (r *roomKeeper) close(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn == nil {
		return nil
	}
	return r.conn.Close(ctx)
}

// rootOf names the test that a subtest is part of.
func rootOf(t testing.TB) string {
	name, _, _ := strings.Cut(t.Name(), "/")
	return name
}
