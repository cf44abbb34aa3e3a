package relay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/outbox/outboxpg"
	engine "go.example/saga/pkg/outbox/relay"
	sagasql "go.example/saga/sql"
)

const (
	// lookPause is the time between two looks at a database, and lookTimeout how long
	// one may take.
	lookPause   = 15 * time.Second
	lookTimeout = 5 * time.Second
	// lookRows is how far behind the position the oldest message is searched. With many
	// shards most of the rows belong to others.
	lookRows = 1000
)

// look is what a database says of its outbox, beyond what the engines know.
type look struct {
	// known is when it was asked, by this process's clock; before the first look, when
	// the process began.
	known   time.Time
	failing bool // the database has not answered since
	shards  map[int]shardLook
	parked  []outboxpg.ParkedCount
}

// shardLook is how far a shard is. Times are by the database's clock.
type shardLook struct {
	written      time.Time // when a relay last wrote the position or renewed its lease
	transactions int64     // begun since the position
	// unchanged is since when it is known to stand so, by this process's clock: the
	// database's may be set back.
	unchanged time.Time
	// oldest is when the first message behind the position was appended; zero without
	// one, and where an engine of this process knows better.
	oldest time.Time
}

// run looks at the database until ctx is done. Nobody waits for it: scrapes get what it
// found last.
func (m *meter) run(ctx context.Context) {
	pause := time.NewTicker(lookPause)
	defer pause.Stop()
	for {
		m.refresh(ctx)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

func (m *meter) refresh(ctx context.Context) {
	found, err := m.look(ctx)
	if ctx.Err() != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults.Report(engine.TaskMetrics, err)
	if err != nil {
		m.last.failing = true
		return
	}
	for n, s := range found.shards {
		if was := m.last.shards[n]; was.written.Equal(s.written) {
			s.unchanged = was.unchanged
			found.shards[n] = s
		}
	}
	m.last = found
}

func (m *meter) look(ctx context.Context) (look, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	parked, err := m.database.log.CountParked(ctx, outboxpg.ParkedFilter{})
	if err != nil {
		return look{}, err
	}
	found := look{known: time.Now(), parked: parked}
	if found.shards, err = m.positions(ctx); err != nil {
		return look{}, fmt.Errorf("read how far the outbox's shards are: %w", err)
	}
	if err := m.oldest(ctx, found.shards); err != nil {
		return look{}, fmt.Errorf("look for the oldest message of the outbox: %w", err)
	}
	return found, nil
}

func (m *meter) positions(ctx context.Context) (map[int]shardLook, error) {
	asked := time.Now()
	rows, err := m.database.pool.Query(ctx, sagasql.Query(m.database.schema, "relay/position_lag.sql"))
	if err != nil {
		return nil, err
	}
	shards := map[int]shardLook{}
	var shard int
	var clock, written time.Time
	var transactions int64
	_, err = pgx.ForEachRow(rows, []any{&shard, &clock, &written, &transactions}, func() error {
		shards[shard] = shardLook{written: written, transactions: transactions, unchanged: asked}
		return nil
	})
	if len(shards) > 0 {
		m.ahead.Store(int64(ahead(clock, asked, time.Now())))
	}
	return shards, err
}

// oldest looks for the oldest message of the shards whose engines cannot know of it,
// all in one round trip.
func (m *meter) oldest(ctx context.Context, shards map[int]shardLook) error {
	batch := &pgx.Batch{}
	for n, s := range shards {
		if m.engineKnows(n) {
			continue
		}
		batch.Queue(sagasql.Query(m.database.schema, "relay/oldest_behind.sql"), n, lookRows).QueryRow(func(row pgx.Row) error {
			var oldest *time.Time
			if err := row.Scan(&oldest); err != nil || oldest == nil {
				return err
			}
			s.oldest = *oldest
			shards[n] = s
			return nil
		})
	}
	return m.database.pool.SendBatch(ctx, batch).Close()
}

func (m *meter) engineKnows(shard int) bool {
	return slices.ContainsFunc(m.crew.Statuses(), func(e engine.Status) bool { return e.Shard == shard && knows(e.State) })
}

// ahead is how far a clock is ahead that said so between two moments of this process's:
// the least that is possible. Clocks that may be the same are taken for the same, so
// that the time of the question does not falsify latencies of milliseconds.
func ahead(clock, asked, answered time.Time) time.Duration {
	return max(clock.Sub(answered), min(0, clock.Sub(asked)))
}
