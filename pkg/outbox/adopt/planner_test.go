package adopt_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	sagasql "go.example/saga/sql"
)

// The relay's statements have to see through the view: whatever the table's size, a
// page costs a page, and an empty poll nothing.
func TestStatementsUseTheTablesIndexes(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "text")
	apply(t, pool, mapping())
	exec(t, pool, `INSERT INTO shop.outboxevent (id, aggregatetype, aggregateid, type, payload)
		SELECT gen_random_uuid(), 'Order', (g % 100)::text, 'placed', repeat('x', 300) FROM generate_series(1, 100000) AS g`)
	exec(t, pool, `VACUUM ANALYZE shop.outboxevent`)
	explain := func(name string, args ...any) string {
		tx := begin(t, pool)
		defer func() { require.NoError(t, tx.Rollback(t.Context())) }()
		rows, err := tx.Query(t.Context(), "EXPLAIN "+sagasql.Query(schema, "relay/"+name+".sql"),
			append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		return strings.Join(lines, "\n")
	}
	var settled string
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT pg_current_snapshot()::text`).Scan(&settled))
	for _, shards := range []int{1, 8} {
		page := explain("page", "1:1:", settled, 50_000, 100_000, 1000, 0, shards)
		require.Contains(t, page, "Index Scan using outboxevent_outbox_id_idx")
		require.NotContains(t, page, "Sort")
		require.NotContains(t, page, "Subquery Scan")
	}
	window := explain("window", settled, "", 0)
	require.Contains(t, window, "Index Only Scan using outboxevent_outbox_xact_outbox_id_idx")
	require.NotContains(t, window, "Seq Scan")
	sparse := explain("page_sparse", settled, settled, 0, 100_000, 1000, 0, 1)
	require.Contains(t, sparse, "using outboxevent_outbox_xact_outbox_id_idx")
	require.NotContains(t, sparse, "Seq Scan")
}
