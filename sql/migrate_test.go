package sagasql_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// otherSchema has to be quoted wherever it is named.
const otherSchema = "order"

var allLines = []sagasql.Line{
	sagasql.Outbox, sagasql.Relay, sagasql.Identity, sagasql.Saga, sagasql.Inbox, sagasql.Participant,
	sagasql.Instruction, sagasql.Reservation, sagasql.Hotel, sagasql.Payment,
}

// migrated is a database that holds every line in public and in otherSchema.
func migrated(t *testing.T) *pgx.Conn {
	t.Helper()
	pool := testenv.Database(t)
	for _, schema := range []string{"", otherSchema} {
		require.NoError(t, sagasql.Up(t.Context(), pool.Config().ConnString(), schema, allLines...))
	}
	return connect(t, pool.Config().ConnString())
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	return conn
}

func TestUpByManyAtOnceAppliesEachMigrationOnce(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t).Config().ConnString()
	for range 2 {
		var together errgroup.Group
		for _, schema := range []string{"", otherSchema, "", otherSchema} {
			together.Go(func() error { return sagasql.Up(t.Context(), url, schema, allLines...) })
		}
		require.NoError(t, together.Wait())
	}
	conn := connect(t, url)
	var lines, other int
	require.NoError(t, conn.QueryRow(t.Context(), `
		SELECT (SELECT count(DISTINCT line) FROM public.saga_migration),
		       (SELECT count(DISTINCT line) FROM "order".saga_migration)`).Scan(&lines, &other))
	require.Equal(t, len(allLines), lines)
	require.Equal(t, lines, other)
}

func TestUpWaitsForABusyTable(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t).Config().ConnString()
	require.NoError(t, sagasql.Up(t.Context(), url, "", sagasql.Outbox))
	conn := connect(t, url)
	// Somebody holds the book: the step waits a bounded time, again and again.
	_, err := conn.Exec(t.Context(), `BEGIN; LOCK TABLE public.saga_migration`)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- sagasql.Up(t.Context(), url, "", sagasql.Outbox) }()
	watcher := connect(t, url)
	require.Eventually(t, func() bool { return blocked(t, watcher) }, 20*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool { return !blocked(t, watcher) }, 20*time.Second, 5*time.Millisecond,
		"the wait is not bounded")
	_, err = conn.Exec(t.Context(), `COMMIT`)
	require.NoError(t, err)
	require.NoError(t, <-done)
}

func blocked(t *testing.T, conn *pgx.Conn) (waiting bool) {
	require.NoError(t, conn.QueryRow(t.Context(), `
		SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'public.saga_migration'::regclass)`).
		Scan(&waiting))
	return waiting
}

func TestUpNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t).Config().ConnString()
	for _, schema := range []string{`x"; DROP SCHEMA public; --`, "Upper", "pg_mine", "1st", "a.b", "é"} {
		require.ErrorContains(t, sagasql.Up(t.Context(), url, schema, sagasql.Outbox), "schema name")
		require.Panics(t, func() { sagasql.Query(schema, "outbox/append.sql") })
	}
	require.Panics(t, func() { sagasql.Query("", "outbox/missing.sql") })
	require.ErrorContains(t, sagasql.Up(t.Context(), url, "", "nonsense"), "line nonsense")
	require.ErrorContains(t, sagasql.Up(t.Context(), url, "", "../secret"), "no line of migrations")

	// A table of that name stands in the way.
	conn := connect(t, url)
	_, err := conn.Exec(t.Context(), `CREATE TABLE public.outbox ()`)
	require.NoError(t, err)
	err = sagasql.Up(t.Context(), url, "", sagasql.Outbox)
	require.ErrorContains(t, err, "line outbox")
	require.ErrorContains(t, err, "file 0001_outbox.sql")
	require.ErrorContains(t, err, `"outbox" already exists`)
}

// Behind a pooler in transaction mode the session is another's a moment later.
func TestUpLeavesNothingInASession(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t)
	url := testenv.PgBouncer(t, pool)
	settings := func() (all []string) {
		conn := connect(t, url)
		for _, name := range []string{"search_path", "lock_timeout", "standard_conforming_strings", "DateStyle", "TimeZone", "row_security"} {
			var value string
			require.NoError(t, conn.QueryRow(t.Context(), `SELECT current_setting($1)`, pgx.QueryExecModeExec, name).Scan(&value))
			all = append(all, value)
		}
		return all
	}
	before := settings()
	require.NoError(t, sagasql.Up(t.Context(), url, "", allLines...))
	require.Equal(t, before, settings())
	var locks int
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
		WHERE d.datname = current_database() AND l.locktype = 'advisory'`).Scan(&locks))
	require.Zero(t, locks)
}

// What somebody made with psql is recognised, and what is there in part is not guessed at.
func TestUpRecognisesWhatItsFilesMade(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t)
	files, err := filepath.Glob("*/[0-9]*.sql")
	require.NoError(t, err)
	conn := connect(t, pool.Config().ConnString())
	run := func(file string) {
		t.Helper()
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		_, err = conn.PgConn().Exec(t.Context(), string(text)).ReadAll()
		require.NoError(t, err, file)
	}
	for _, line := range allLines {
		for _, file := range files {
			if filepath.Dir(file) == string(line) {
				run(file)
			}
		}
	}
	require.NoError(t, sagasql.Up(t.Context(), pool.Config().ConnString(), "", allLines...))
	require.Len(t, names(t, conn, `SELECT line || version FROM public.saga_migration`), len(files))
	_, err = conn.Exec(t.Context(), `DELETE FROM public.saga_migration WHERE line = 'relay' AND version = 2; DROP FUNCTION public.outbox_replay`)
	require.NoError(t, err)
	err = sagasql.Up(t.Context(), pool.Config().ConnString(), "", sagasql.Outbox)
	require.ErrorContains(t, err, `line relay: file 0002_parked.sql`)
	require.ErrorContains(t, err, `but "outbox_replay" does not`)
}

// Sessions with odd settings make the same tables.
func TestUpDoesNotDependOnTheSession(t *testing.T) {
	t.Parallel()
	definitions := func(pool *pgxpool.Pool) []string {
		conn := connect(t, pool.Config().ConnString())
		_, err := conn.Exec(t.Context(), `SET quote_all_identifiers = off; SET standard_conforming_strings = on; SET datestyle = 'ISO';
			SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET search_path = public`)
		require.NoError(t, err)
		return names(t, conn, `SELECT x FROM (
			SELECT pg_get_viewdef(oid) FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace
			UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
			UNION ALL SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint
			UNION ALL SELECT attrelid::regclass || '.' || attname || coalesce(pg_get_expr(d.adbin, d.adrelid), '') FROM pg_attribute
				LEFT JOIN pg_attrdef AS d ON d.adrelid = attrelid AND d.adnum = attnum
				WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)) AS d (x)
			WHERE x !~ '^pg_toast' ORDER BY x`)
	}
	plain, odd := testenv.Database(t), testenv.Database(t)
	var name string
	require.NoError(t, odd.QueryRow(t.Context(), `SELECT current_database()`).Scan(&name))
	for _, setting := range oddSettings {
		_, err := odd.Exec(t.Context(), `ALTER DATABASE `+name+` SET `+setting)
		require.NoError(t, err)
	}
	for _, pool := range []*pgxpool.Pool{plain, odd} {
		require.NoError(t, sagasql.Up(t.Context(), pool.Config().ConnString(), "", allLines...))
	}
	require.Equal(t, definitions(plain), definitions(odd))
}

// oddSettings are what somebody may have set for a database, a role or a session.
var oddSettings = []string{
	"standard_conforming_strings = off", "datestyle = 'SQL, DMY'", "intervalstyle = 'sql_standard'", "timezone = 'Asia/Kathmandu'",
	"bytea_output = 'escape'", "extra_float_digits = 0", "transform_null_equals = on", "default_transaction_isolation = 'serializable'",
	"quote_all_identifiers = on", "lc_monetary = 'C'", "row_security = off", "default_transaction_deferrable = on",
	"check_function_bodies = off", "array_nulls = off", "search_path = hostile, public", "plan_cache_mode = 'force_custom_plan'",
}
