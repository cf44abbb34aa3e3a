package outboxpg

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// session is a connection whose plans are kept, as the relay's are.
func (b *bundle) session() *pgx.Conn {
	b.Helper()
	conn, err := pgx.Connect(b.ctx, b.pool.Config().ConnString())
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// pages is how many pages of tables and indexes a query of the log looks at, once it
// is planned.
func (b *bundle) pages(conn *pgx.Conn, query string, args ...any) int {
	b.Helper()
	return min(b.pagesOnce(conn, query, args...), b.pagesOnce(conn, query, args...))
}

func (b *bundle) pagesOnce(conn *pgx.Conn, query string, args ...any) int {
	b.Helper()
	args = append([]any{pgx.QueryExecModeCacheDescribe}, args...)
	var text []byte
	require.NoError(b, conn.QueryRow(b.ctx, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+b.log.query(query), args...).Scan(&text))
	var top []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
	}
	require.NoError(b, json.Unmarshal(text, &top))
	return top[0].Plan.Hit + top[0].Plan.Read
}

// more is so many rows.
const more = `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
	SELECT 'test', i::text, 'row', '', 'queue', '{}' FROM generate_series(1, $1) AS i`

// divided is a log of 50 partitions of 20,000 rows that were never analysed; three of
// them and outbox_default are full.
func divided(b *bundle) (now string) {
	b.change(`DROP TABLE public.outbox_p1, public.outbox_p1000001, public.outbox_p2000001`)
	b.change(`ALTER TABLE public.outbox_default SET (autovacuum_enabled = off)`)
	b.change(more, 20_000)
	require.Equal(b, 50, b.ahead(20_000, 50))
	b.change(`DO $$ DECLARE p regclass; BEGIN
		FOR p IN SELECT partition FROM public.outbox_partitions LOOP
			EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', p);
		END LOOP; END $$`)
	for range 3 {
		b.change(more, 20_000)
	}
	return value[string](b, `SELECT pg_current_snapshot()::text`)
}

// The cost of a page is that of its rows, wherever it lies, and of a poll that finds
// nothing that of a look into each partition's index, also when the plan was made while
// the log was empty.
func TestReadingCostsWhatItReads(t *testing.T) {
	b := setup(t)
	conn := b.session()
	empty := value[string](b, `SELECT pg_current_snapshot()::text`)
	present := value[string](b, `SELECT public.outbox_present()`)
	b.pages(conn, "page", present, "1:1:", empty, 0, 100, 100, 0, 1)
	b.pages(conn, "page_sparse", present, "1:1:", empty, 0, 100, 100, 0, 1)
	b.pages(conn, "window", present, "1:1:", empty, 0)
	b.pages(conn, "news", present, empty, 100, 0, 1)
	now := divided(b)
	const rows = 1024
	for _, after := range []int64{0, 19_000, 39_500, 79_000 - rows} {
		for _, shards := range []int{1, 4} {
			require.Less(t, b.pages(conn, "page", present, "1:1:", now, after, 80_000, rows, 0, shards), 2*rows*shards+1000)
		}
	}
	// Snapshots at which nothing ran, and three old transactions did. What other tests run
	// beside this one is left out: behind one of theirs lie the rows just made.
	for _, ran := range []string{
		`SELECT pg_snapshot_xmax($1::pg_snapshot) || ':' || pg_snapshot_xmax($1::pg_snapshot) || ':'`,
		`SELECT '3:' || pg_snapshot_xmax($1::pg_snapshot) || ':3,7,9'`,
	} {
		settled := value[string](b, ran, now)
		running := value[int](b, `SELECT count(*) FROM pg_snapshot_xip($1::pg_snapshot)`, settled)
		require.Less(t, b.pages(conn, "window", present, settled, "", 0), 53*3*(3+running), "a look into each index, and for each transaction that ran")
		require.Less(t, b.pages(conn, "news", present, settled, 1024, 0, 1), 53*3*(3+running), "the same")
	}
	b.change(`INSERT INTO public.outbox (id, aggregate_type, aggregate_id, type, exchange, routing_key, payload) OVERRIDING SYSTEM VALUE
		SELECT i * 7000 + 500000, 'test', i::text, 'far apart', '', 'queue', '{}' FROM generate_series(1, 20) AS i`)
	later := value[string](b, `SELECT pg_current_snapshot()::text`)
	require.Less(t, b.pages(conn, "page_sparse", present, now, later, 0, 999_999, rows, 0, 1), 53*3*20+20*60)
}

// No plan of the log starts a process to help it: that takes longer than to read.
func TestReadingHasNoHelpers(t *testing.T) {
	b := setup(t)
	require.Equal(t, 5, value[int](b, `SELECT count(*) FROM pg_proc
		WHERE proname IN ('outbox_window', 'outbox_window_bounds', 'outbox_page', 'outbox_page_sparse', 'outbox_news')
		  AND 'max_parallel_workers_per_gather=0' = ANY (proconfig)`))
}

// A window of more rows than are worth counting is bounded by its partitions, and read
// the same: in the order of ids, what its snapshots say and nothing else.
func TestAWindowTooLargeToCount(t *testing.T) {
	b := setup(t)
	conn := b.session()
	divided(b)
	late, undone := b.begin(), b.begin()
	b.insert(late, "late", "early id")
	settled := value[string](b, `SELECT pg_current_snapshot()::text`)
	_, err := undone.Exec(b.ctx, more, 5_000)
	require.NoError(t, err)
	require.NoError(t, undone.Rollback(b.ctx))
	for range 6 {
		b.change(more, 20_000)
	}
	require.NoError(t, late.Commit(b.ctx))
	ends := value[string](b, `SELECT pg_current_snapshot()::text`)
	b.change(more, 20_000) // not the window's

	tenure := b.acquire("one")
	for _, settled := range []string{"1:1:", settled} {
		in := value[[]int64](b, `SELECT array_agg(id ORDER BY id) FROM public.outbox
			WHERE pg_visible_in_snapshot(xact, $2) AND NOT pg_visible_in_snapshot(xact, $1)`, settled, ends)
		require.Greater(t, len(in), 120_000)
		for _, passed := range []int{0, len(in) / 2, len(in) - 1} {
			from := Position{settled: settled, window: ends}
			if passed > 0 {
				from.lastID = in[passed-1]
			}
			tenure.window = window{} // as another relay begins
			var got []int64
			for from.settled == settled {
				page, err := tenure.Read(b.ctx, from, 10_000)
				require.NoError(t, err)
				for _, r := range page.Records {
					got = append(got, r.Position)
				}
				require.Equal(t, in[passed], tenure.window.first)
				from = page.End()
			}
			require.Equal(t, in[passed:], got)
			require.Equal(t, Position{settled: ends}, from)
		}
		require.Less(t, b.pages(conn, "window", tenure.present, settled, ends, 0), 100_000+2*20_000+2*53*3*3, "not each of %d rows is looked at", len(in))
	}
}
