package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"go.example/saga/pkg/outbox"
)

// keys are few, so that the writers contend for them.
const keys = 500

// writers append messages of contended keys, each under the lock of its key's row, with
// pauses in the middle, and take part of it back. They end when enough is committed, or
// by the test's context.
type writers struct {
	road      *road
	rows      int64
	reader    *witness // not to be left behind too far; nil where nobody reads yet
	committed atomic.Int64
	group     *errgroup.Group
	pool      *pgxpool.Pool
}

// write lets n writers commit so many rows together, in a goroutine each.
func (r *road) write(n, rows int) *writers {
	r.Helper()
	return r.writeBefore(nil, n, rows)
}

// maxAhead is how many rows may be committed that the reader has not seen, so that a
// long run is one of writers and relays side by side.
const maxAhead = 20_000

// writeBefore is write for a reader that is waited for.
func (r *road) writeBefore(reader *witness, n, rows int) *writers {
	r.Helper()
	r.prepareKeys()
	config := r.db.Config()
	config.MaxConns = int32(n)
	pool, err := pgxpool.NewWithConfig(r.Context(), config)
	require.NoError(r, err)
	group, ctx := errgroup.WithContext(r.Context())
	w := &writers{road: r, rows: int64(rows), reader: reader, group: group, pool: pool}
	for range n {
		group.Go(func() error {
			err := w.work(ctx)
			if err != nil && ctx.Err() == nil { // else another's has ended it, or the test
				r.trouble.Store(&err)
			}
			return err
		})
	}
	r.Cleanup(func() {
		_ = group.Wait() // ended by the test's context at the latest
		pool.Close()
	})
	return w
}

// prepareKeys makes the business rows, whose versions number the messages of each key.
func (r *road) prepareKeys() {
	r.Helper()
	_, err := r.db.Exec(r.Context(), `CREATE TABLE IF NOT EXISTS thing (key integer PRIMARY KEY, version bigint NOT NULL)`)
	require.NoError(r, err)
	_, err = r.db.Exec(r.Context(), `INSERT INTO thing SELECT k, 0 FROM generate_series(1, $1) AS k ON CONFLICT DO NOTHING`, keys)
	require.NoError(r, err)
}

// errChangedMind is what a writer rolls a transaction back for.
var errChangedMind = errors.New("the writer has changed its mind")

func (w *writers) work(ctx context.Context) error {
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for w.committed.Load() < w.rows {
		if w.reader != nil && int(w.committed.Load())-w.reader.distinct() > maxAhead {
			select {
			case <-pause.C:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		rows := 0
		err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) (err error) {
			rows, err = transaction(ctx, tx)
			return err
		})
		switch {
		case err == nil:
			w.committed.Add(int64(rows))
		case !errors.Is(err, errChangedMind):
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

// done waits until enough is committed, and gives the connections back.
func (w *writers) done() {
	w.road.Helper()
	require.NoError(w.road, w.group.Wait())
	w.pool.Close()
}

// transaction appends some messages for some keys. One of ten is rolled back.
func transaction(ctx context.Context, tx pgx.Tx) (rows int, err error) {
	chosen := []int{1 + rand.IntN(keys), 1 + rand.IntN(keys), 1 + rand.IntN(keys)}[:1+rand.IntN(3)]
	slices.Sort(chosen) // so that writers wait for one another in one order
	for _, key := range slices.Compact(chosen) {
		n := 1 + rand.IntN(20)
		if err := appendTo(ctx, tx, key, n); err != nil {
			return 0, err
		}
		rows += n
		if rand.IntN(4) == 0 {
			if err := takenBack(ctx, tx, key); err != nil {
				return 0, err
			}
		}
		if _, err := tx.Exec(ctx, `SELECT pg_sleep($1)`, rand.ExpFloat64()/500); err != nil {
			return 0, err
		}
	}
	if rand.IntN(10) == 0 {
		return 0, errChangedMind
	}
	return rows, nil
}

// takenBack appends messages under a savepoint and goes back to it.
func takenBack(ctx context.Context, tx pgx.Tx, key int) error {
	err := pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
		if err := appendTo(ctx, inner, key, 2); err != nil {
			return err
		}
		return errChangedMind
	})
	if errors.Is(err, errChangedMind) {
		return nil
	}
	return err
}

// appendTo appends the next n messages of a key: "key:number" is their type.
func appendTo(ctx context.Context, tx pgx.Tx, key, n int) error {
	var version int64
	err := tx.QueryRow(ctx, `UPDATE thing SET version = version + $2 WHERE key = $1 RETURNING version - $2`, key, n).Scan(&version)
	if err != nil {
		return err
	}
	messages := make([]outbox.Message, n)
	for i := range messages {
		messages[i] = outbox.Message{
			AggregateType: "thing", AggregateID: strconv.Itoa(key), Type: fmt.Sprintf("%d:%d", key, version+int64(i)+1),
			RoutingKey: testQueue, Payload: []byte(`{}`),
		}
	}
	return outbox.Append(ctx, tx, messages...)
}
