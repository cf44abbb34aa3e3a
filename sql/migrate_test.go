package sagasql_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
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
	sagasql.Reservation, sagasql.Hotel, sagasql.Payment,
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
