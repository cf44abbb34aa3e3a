package outboxpg

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// plan is a node of what EXPLAIN says.
type plan struct {
	Type  string `json:"Node Type"`
	Table string `json:"Relation Name"`
	Index string `json:"Index Name"`
	Plans []plan
}

// plan returns all nodes of a query's plan. The mode is that of the relay's pool: the
// planner sees the parameters.
func (b *bundle) plan(query string, args ...any) (nodes []plan) {
	b.Helper()
	args = append([]any{pgx.QueryExecModeCacheDescribe}, args...)
	var top []struct{ Plan plan }
	require.NoError(b, json.Unmarshal(value[json.RawMessage](b, "EXPLAIN (FORMAT JSON) "+b.log.query(query), args...), &top))
	var walk func(p plan)
	walk = func(p plan) {
		nodes = append(nodes, p)
		for _, child := range p.Plans {
			walk(child)
		}
	}
	walk(top[0].Plan)
	return nodes
}

// divided is a log of 50 partitions of 20,000 rows that were never analysed; three of
// them and outbox_default are full.
func divided(t *testing.T) (b *bundle, now string) {
	b = setup(t)
	b.change(`DROP TABLE public.outbox_p1, public.outbox_p1000001, public.outbox_p2000001`)
	b.change(`ALTER TABLE public.outbox_default SET (autovacuum_enabled = off)`)
	const fill = `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		SELECT 'test', i::text, 'row', '', 'queue', '{}' FROM generate_series(1, 20000) AS i`
	b.change(fill)
	require.Equal(t, 50, b.ahead(20_000, 50))
	b.change(`DO $$ DECLARE p regclass; BEGIN
		FOR p IN SELECT partition FROM public.outbox_partitions LOOP
			EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', p);
		END LOOP; END $$`)
	for range 3 {
		b.change(fill)
	}
	return b, value[string](b, `SELECT pg_current_snapshot()::text`)
}

// full are the partitions with rows in them; what the others have is read in no time
// whatever the plan.
var full = []string{"outbox_default", "outbox_p20001", "outbox_p40001", "outbox_p60001"}

// A page of few ids is read by the primary keys of the partitions that hold them, and
// by nothing else.
func TestAPageReadsThePrimaryKeys(t *testing.T) {
	b, now := divided(t)
	for _, after := range []int64{0, 19_000, 39_500, 79_000} {
		for _, shards := range []int{1, 8} {
			for _, p := range b.plan("page", "1:1:", now, after, after+1024, 1024, 0, shards) {
				if slices.Contains(full, p.Table) {
					require.Contains(t, []string{"Index Scan", "Bitmap Heap Scan"}, p.Type)
				}
				require.Regexp(t, "_pkey$|^$", p.Index)
			}
		}
	}
}

// A window is measured by the indexes on xact, whether it holds nothing or everything.
func TestAWindowIsMeasuredByTheIndexesOnXact(t *testing.T) {
	b, now := divided(t)
	for _, settled := range []string{now, "1:1:", "3:100:3,7,9,50"} {
		seen := map[string]int{}
		for _, p := range b.plan("window", settled, "", 0) {
			if slices.Contains(full, p.Table) {
				seen[p.Table]++
				require.Contains(t, []string{"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}, p.Type)
			}
			require.Regexp(t, "_xact_id_idx$|^$", p.Index)
		}
		for _, table := range full {
			require.Equal(t, 2, seen[table], "both branches")
		}
	}
}
