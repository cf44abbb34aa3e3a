package adopt_test

import (
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	sagasql "go.example/saga/sql"
)

// The relay's statements have to see through the view: whatever the table's size, a
// page costs a page, and an empty poll nothing. The cost is the pages of the table and
// its indexes that are looked at, once the plan is made.
func TestStatementsUseTheTablesIndexes(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "text")
	apply(t, pool, mapping())
	exec(t, pool, `INSERT INTO shop.outboxevent (id, aggregatetype, aggregateid, type, payload)
		SELECT gen_random_uuid(), 'Order', (g % 100)::text, 'placed', repeat('x', 300) FROM generate_series(1, 100100) AS g`)
	tx := begin(t, pool)
	defer func() { require.NoError(t, tx.Rollback(t.Context())) }()
	once := func(name string, args ...any) int {
		var text []byte
		require.NoError(t, tx.QueryRow(t.Context(), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+sagasql.Query(schema, "relay/"+name+".sql"),
			append([]any{pgx.QueryExecModeCacheDescribe}, args...)...).Scan(&text))
		var top []struct {
			Plan struct {
				Hit  int `json:"Shared Hit Blocks"`
				Read int `json:"Shared Read Blocks"`
			}
		}
		require.NoError(t, json.Unmarshal(text, &top))
		return top[0].Plan.Hit + top[0].Plan.Read
	}
	pages := func(name string, args ...any) int { return min(once(name, args...), once(name, args...)) }
	var settled, present string
	// Not what runs beside the test: an old transaction of another one would widen the window.
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT format('%1$s:%1$s:', pg_snapshot_xmax(pg_current_snapshot())), "order".outbox_present()`).Scan(&settled, &present))
	const rows = 1000
	for _, shards := range []int{1, 8} {
		require.Less(t, pages("page", present, "1:1:", settled, 50_000, 100_000, rows, 0, shards), 2*rows*shards)
	}
	require.Less(t, pages("window", present, settled, "", 0), 30)
	// More than are worth counting.
	var ends string
	var first, last int
	var sparse bool
	require.NoError(t, tx.QueryRow(t.Context(), sagasql.Query(schema, "relay/window.sql"), present, "1:1:", "", 0).Scan(&ends, &first, &last, &sparse))
	require.Equal(t, []int{1, 100_100}, []int{first, last})
	require.False(t, sparse)
	require.Less(t, pages("page_sparse", present, settled, settled, 0, 100_000, rows, 0, 1), 30)
}
