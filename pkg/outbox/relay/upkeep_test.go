package relay

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox/outboxpg"
	sagasql "go.example/saga/sql"
)

// tended is an outbox that upkeeps look after, and what they say.
type tended struct {
	*testing.T
	pool *pgxpool.Pool
	said *observer.ObservedLogs
}

// tend starts upkeeps of a fresh outbox, which end with the test.
func tend(t *testing.T, upkeeps int) tended {
	t.Parallel()
	core, said := observer.New(zapcore.InfoLevel)
	x := tended{T: t, pool: testenv.Database(t, sagasql.Outbox), said: said}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { stop(); running.Wait() })
	for range upkeeps {
		u := Upkeep{
			Log: outboxpg.New(x.pool, ""), Name: "test", PartitionRows: 1000, Retention: time.Millisecond,
			Logger: zap.New(core), Faults: NewFaults("test", zap.New(core)), every: 10 * time.Millisecond,
		}
		running.Go(func() { u.Run(ctx) })
	}
	return x
}

func (x tended) exec(sql string) {
	x.Helper()
	_, err := x.pool.Exec(x.Context(), sql)
	require.NoError(x, err)
}

// publishAll inserts a row, lets the sequence go on and counts everything as published. It
// claims the partitions meanwhile, or an upkeep would make one for the row's own id.
func (x tended) publishAll(lastID string) {
	x.Helper()
	require.NoError(x, pgx.BeginFunc(x.Context(), x.pool, func(tx pgx.Tx) error {
		require.Eventually(x, func() (claimed bool) {
			require.NoError(x, tx.QueryRow(x.Context(), `SELECT public.outbox_partitions_claim()`).Scan(&claimed))
			return claimed
		}, patience, tick)
		_, err := tx.Exec(x.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
			VALUES ('test', 'key', 'row', '', 'queue', '{}')`)
		require.NoError(x, err)
		_, err = tx.Exec(x.Context(), `SELECT setval('public.outbox_id_seq', `+lastID+`)`)
		return err
	}))
	x.exec(`UPDATE public.outbox_position SET settled = pg_current_snapshot()`)
}

// partitions waits until these are the partitions.
func (x tended) partitions(want ...string) {
	x.Helper()
	var got []string
	require.EventuallyWithT(x, func(c *assert.CollectT) {
		require.NoError(c, x.pool.QueryRow(x.Context(),
			`SELECT array_agg(partition::text ORDER BY first_id) FROM public.outbox_partitions`).Scan(&got))
		require.Equal(c, want, got)
	}, patience, tick)
}

func (x tended) count(level zapcore.Level) int {
	return x.said.Filter(func(e observer.LoggedEntry) bool { return e.Level == level }).Len()
}

func TestUpkeepsMakeAndDropPartitions(t *testing.T) {
	x := tend(t, 3)
	x.publishAll("1000000")
	x.partitions("outbox_p1000001", "outbox_p2000001", "outbox_p2001001")
	x.publishAll("2001001")
	x.partitions("outbox_p1000002001001", "outbox_p1000002002001", "outbox_p1000002003001")
	for _, entry := range x.said.FilterLevelExact(zapcore.WarnLevel).All() {
		// On a busy machine one is in another's way, which is all that may be.
		require.ErrorIs(t, entry.Context[1].Interface.(error), outboxpg.ErrBusy)
	}
	require.Eventually(t, func() bool { return x.said.FilterMessageSnippet("dropped").Len() == 4 }, patience, tick)
}

func TestAnUpkeepTellsOnceWhatIsInItsWay(t *testing.T) {
	x := tend(t, 1)
	reader, err := x.pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = reader.Exec(t.Context(), `SELECT count(*) FROM public.outbox`)
	require.NoError(t, err)
	x.publishAll("1000000")
	require.Eventually(t, func() bool { return x.count(zapcore.WarnLevel) == 1 }, patience, tick)
	entry := x.said.FilterLevelExact(zapcore.WarnLevel).All()[0]
	require.ErrorIs(t, entry.Context[1].Interface.(error), outboxpg.ErrBusy)

	require.NoError(t, reader.Commit(t.Context()))
	x.partitions("outbox_p1000001", "outbox_p2000001", "outbox_p2001001")
	require.Equal(t, 1, x.count(zapcore.WarnLevel))
}

func TestAnUpkeepWaitsLongerWhileSomebodyHoldsTheTables(t *testing.T) {
	t.Parallel()
	pauses, got := 1, []int{}
	for _, err := range []error{nil, outboxpg.ErrBusy, outboxpg.ErrBusy, outboxpg.ErrBusy, outboxpg.ErrBusy, outboxpg.ErrBusy, nil} {
		pauses = nextPauses(pauses, err)
		got = append(got, pauses)
	}
	require.Equal(t, []int{1, 2, 4, 8, 16, 16, 1}, got)
}
