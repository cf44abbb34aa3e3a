package outbox_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	sagasql "go.example/saga/sql"
)

// listen waits for what is said on a channel of the pool's database.
func listen(t *testing.T, pool *pgxpool.Pool, channel string) (hear func() string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pool.Config().ConnString())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	_, err = conn.Exec(t.Context(), "LISTEN "+pgx.Identifier{channel}.Sanitize())
	require.NoError(t, err)
	return func() string {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		n, err := conn.WaitForNotification(ctx)
		require.NoError(t, err)
		return n.Payload
	}
}

// say puts a mark behind everything that was announced before it.
func say(t *testing.T, pool *pgxpool.Pool, channel, mark string) {
	t.Helper()
	_, err := pool.Exec(t.Context(), `SELECT pg_notify($1, $2)`, channel, mark)
	require.NoError(t, err)
}

func TestCommitIsAnnounced(t *testing.T) {
	t.Parallel()
	other := testenv.Database(t, sagasql.Outbox)
	pool := testenv.Database(t, sagasql.Outbox)
	require.NoError(t, sagasql.Up(t.Context(), pool.Config().ConnString(), "order", sagasql.Outbox))
	write := func(pool *pgxpool.Pool, schema string) {
		require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			return outbox.In(schema).Append(t.Context(), tx, message())
		}))
	}
	hear, hearOrder, hearOther := listen(t, pool, "outbox_public"), listen(t, pool, "outbox_order"), listen(t, other, "outbox_public")
	write(pool, "")
	write(pool, "order")
	write(other, "")
	for _, hear := range []func() string{hear, hearOrder, hearOther} {
		require.Empty(t, hear())
	}
}

// Transactions of database/sql share their announcements by schema, so this test has one
// that no other test uses.
func TestCommitThroughDatabaseSQLIsAnnounced(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t)
	require.NoError(t, sagasql.Up(t.Context(), pool.Config().ConnString(), "only_this", sagasql.Outbox))
	hear := listen(t, pool, outbox.Channel("only_this"))
	require.NoError(t, unitOfWork{open(t, pool)}.do(t.Context(), func(tx *sql.Tx) error {
		return outbox.In("only_this").AppendSQL(t.Context(), tx, message())
	}))
	require.Empty(t, hear())
}

func TestRollbackAnnouncesNothing(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	hear := listen(t, pool, outbox.Channel(""))
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, outbox.Append(t.Context(), tx, message()))
	require.NoError(t, tx.Rollback(t.Context()))
	say(t, pool, outbox.Channel(""), "mark")
	require.Equal(t, "mark", hear())
}

// What is not appended does not use up the announcement of what is.
func TestRefusalAnnouncesNothing(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	hear := listen(t, pool, outbox.Channel(""))
	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		require.NoError(t, outbox.Append(t.Context(), tx))
		require.Error(t, outbox.Append(t.Context(), tx, message(payload("{"))))
		return outbox.Append(t.Context(), tx, message())
	}))
	require.Empty(t, hear())
}

func TestAnnouncementsKeepTheirDistance(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	require.Equal(t, []bool{true, true, true, true, false, true, false, true},
		outbox.Due(0, 0, 0, 1*ms, 2*ms, 3*ms, 5*ms, 6*ms), "four together, then one in three milliseconds")
	require.Equal(t, []bool{true, true, true, true, false, true, true, true, true, false},
		outbox.Due(0, 0, 0, 0, 0, 30*ms, 30*ms, 30*ms, 30*ms, 30*ms), "four again after a pause")
}

// So that a busy database of a process does not use up the announcements of another.
func TestDatabasesAreToldApart(t *testing.T) {
	t.Parallel()
	one, other := testenv.Database(t), testenv.Database(t)
	of := func(pool *pgxpool.Pool) (ringer any) {
		require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			ringer = outbox.Ringer(tx)
			return nil
		}))
		return ringer
	}
	ringer := of(one)
	one.Reset()
	require.Same(t, ringer, of(one), "over another connection too")
	require.NotSame(t, ringer, of(other))
}

func TestChannelFitsPostgres(t *testing.T) {
	t.Parallel()
	require.Equal(t, "outbox_public", outbox.Channel(""))
	require.Equal(t, "outbox_public", outbox.Channel("public"))
	long := strings.Repeat("s", 63)
	pool := testenv.Database(t)
	require.NoError(t, sagasql.Up(t.Context(), pool.Config().ConnString(), long, sagasql.Outbox))
	hear := listen(t, pool, outbox.Channel(long))
	require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		return outbox.In(long).Append(t.Context(), tx, message())
	}))
	require.Empty(t, hear())
}

// A pooler in transaction mode is an obstacle to those who listen, not to writers.
func TestCommitThroughPgBouncerIsAnnounced(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	config, err := pgxpool.ParseConfig(testenv.PgBouncer(t, pool) + "&default_query_exec_mode=cache_describe")
	require.NoError(t, err)
	pooled, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pooled.Close)
	hear := listen(t, pool, outbox.Channel(""))
	require.NoError(t, pgx.BeginFunc(t.Context(), pooled, func(tx pgx.Tx) error {
		return outbox.Append(t.Context(), tx, message())
	}))
	require.Empty(t, hear())
	require.NoError(t, unitOfWork{open(t, pooled)}.do(t.Context(), func(tx *sql.Tx) error {
		return outbox.AppendSQL(t.Context(), tx, message())
	}))
	require.Len(t, stored(t, pool, "public.outbox"), 2)
}
