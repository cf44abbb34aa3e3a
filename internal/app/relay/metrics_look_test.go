package relay

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox/outboxpg"
	engine "go.example/saga/pkg/outbox/relay"
	sagasql "go.example/saga/sql"
)

func atRest(t *testing.T) (*meter, *pgxpool.Pool) {
	t.Helper()
	pool := testenv.Database(t, sagasql.Outbox)
	m := newMeter(database{entry: entry{name: "shop"}, pool: pool, log: outboxpg.New(pool, "")}, engine.NewFaults("shop", zaptest.NewLogger(t)))
	crew, err := engine.NewCrew(engine.Config{
		Name: "shop", Log: m.database.log, Holder: "nobody", Logger: zaptest.NewLogger(t),
		Open: func(context.Context) (engine.Publisher, error) { panic("it is not run") },
	})
	require.NoError(t, err)
	m.crew = crew
	return m, pool
}

func exec(t *testing.T, pool *pgxpool.Pool, statement string) {
	t.Helper()
	_, err := pool.Exec(t.Context(), statement)
	require.NoError(t, err)
}

// write appends rows of one aggregate that say when they were created.
const write = `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload, created_at)
	SELECT 'test', $$k$$, 'm', '', 'q', '{}', now() - interval '1 hour' * `

// oldest is the age of the oldest message of each shard that has one, in hours.
func oldest(t *testing.T, m *meter) map[int]int {
	t.Helper()
	found, err := m.look(t.Context())
	require.NoError(t, err)
	ages := map[int]int{}
	for n, s := range found.shards {
		if !s.oldest.IsZero() {
			ages[n] = int(found.known.Sub(s.oldest).Hours() + .5)
		}
	}
	return ages
}

func TestLookFindsTheOldestBehindThePosition(t *testing.T) {
	t.Parallel()
	m, pool := atRest(t)
	require.Empty(t, oldest(t, m))
	late, err := pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = late.Rollback(context.Background()) }() // where the test fails before it commits
	_, err = late.Exec(t.Context(), write+"9")
	require.NoError(t, err)
	exec(t, pool, write+"5")
	exec(t, pool, write+"4")
	require.Equal(t, map[int]int{0: 5}, oldest(t, m), "the empty past")
	exec(t, pool, `UPDATE public.outbox_position SET window_end = pg_current_snapshot(), last_id = (SELECT min(id) FROM public.outbox)`)
	require.Equal(t, map[int]int{0: 4}, oldest(t, m), "the rest of a window")
	exec(t, pool, `UPDATE public.outbox_position SET settled = window_end, window_end = NULL, last_id = NULL`)
	require.Empty(t, oldest(t, m), "all is settled")
	require.NoError(t, late.Commit(t.Context()))
	require.Equal(t, map[int]int{0: 9}, oldest(t, m), "a transaction that ran when the position was written")
	exec(t, pool, `UPDATE public.outbox_position SET settled = pg_current_snapshot()`)
	exec(t, pool, write+"2")
	exec(t, pool, `UPDATE public.outbox_position SET window_end = pg_current_snapshot(), last_id = 0`)
	require.Equal(t, map[int]int{0: 2}, oldest(t, m), "what the former window has published does not count")
	exec(t, pool, `SELECT public.outbox_reshard(8)`)
	require.Len(t, oldest(t, m), 1, "only the shard of the aggregate has it")
}

// However much waits, and wherever the position is in it.
func TestLookCostsTheSameWithABacklog(t *testing.T) {
	t.Parallel()
	_, pool := atRest(t)
	exec(t, pool, write+"n FROM generate_series(1, 50000) AS n")
	exec(t, pool, `SELECT public.outbox_reshard(4)`)
	query := strings.NewReplacer("$1", "1", "$2", "1000").Replace(sagasql.Query("", "relay/oldest_behind.sql"))
	for _, place := range []string{
		`UPDATE public.outbox_position SET last_error = NULL`,
		`UPDATE public.outbox_position SET window_end = pg_current_snapshot(), last_id = 40000`,
	} {
		exec(t, pool, place)
		rows, err := pool.Query(t.Context(), "EXPLAIN (ANALYZE, TIMING OFF) "+query)
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		plan := strings.Join(lines, "\n")
		require.Contains(t, plan, "actual rows=1000")
		require.NotRegexp(t, `(actual rows=|Removed by Filter: )\d{5}`, plan)
		require.NotContains(t, plan, "JIT", "to compile it takes longer than to run it")
	}
}

// The clock was set back and the relay is dead: the alarm must not wait until the clock
// has caught up.
func TestThePositionGrowsOldThoughItsTimeIsOfTheFuture(t *testing.T) {
	t.Parallel()
	m, pool := atRest(t)
	exec(t, pool, `UPDATE public.outbox_position SET updated_at = clock_timestamp() + interval '1 hour'`)
	m.refresh(t.Context())
	first := m.last.shards[0].unchanged
	m.refresh(t.Context())
	require.Equal(t, first, m.last.shards[0].unchanged)
	exec(t, pool, `UPDATE public.outbox_position SET updated_at = 'infinity'`)
	m.refresh(t.Context())
	require.False(t, m.last.failing)
	require.True(t, m.last.shards[0].unchanged.After(first))
}
