package testenv

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { Main(m) }

func TestDatabaseIsMigratedAndAlone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	one, other := Database(t, sagasql.Outbox), Database(t, sagasql.Outbox)
	var table string
	require.NoError(t, one.QueryRow(ctx, `SELECT to_regclass('public.outbox')::text`).Scan(&table))
	require.Equal(t, "outbox", table)
	require.NotEqual(t, one.Config().ConnString(), other.Config().ConnString())

	_, err := one.Exec(ctx, `CREATE TABLE mine ()`)
	require.NoError(t, err)
	_, err = other.Exec(ctx, `SELECT FROM mine`)
	require.ErrorContains(t, err, "does not exist")
}

func TestDatabaseIsLeftWithItsTestAndDroppedLater(t *testing.T) {
	t.Parallel()
	var (
		name  string
		stray *pgx.Conn
	)
	t.Run("owner", func(t *testing.T) {
		pool := Database(t)
		name = pool.Config().ConnConfig.Database
		require.True(t, strings.HasPrefix(name, prefix))
		var err error
		stray, err = pgx.Connect(context.Background(), pool.Config().ConnString())
		require.NoError(t, err)
	})
	require.Error(t, stray.Ping(t.Context()), "a session outlived its test")
	require.NoError(t, spent.drop(t.Context()))
	names, err := servers(t).Postgres.Databases(t.Context())
	require.NoError(t, err)
	require.NotContains(t, names, name)
}

func TestVhostsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range batch + 1 {
		address := Vhost(t)
		require.False(t, seen[address], "%s was handed out twice", address)
		seen[address] = true
	}
}

// What another run made, and whoever connects to it, is left alone.
func TestSweepSparesWhatIsInUse(t *testing.T) {
	t.Parallel()
	pool := Database(t)
	require.NoError(t, pool.Ping(t.Context()))
	name := pool.Config().ConnConfig.Database
	busy, err := servers(t).Postgres.DropIdleDatabases(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, []string{name}, busy)
	require.NoError(t, pool.Ping(t.Context()))
	pool.Reset()
	require.Eventually(t, func() bool {
		busy, err = servers(t).Postgres.DropIdleDatabases(t.Context(), name)
		return err == nil && len(busy) == 0
	}, adminTime, roomPoll)
	require.Error(t, pool.Ping(t.Context()))
}

func TestStaleKeepsYoungAndForeignNames(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	made := func(ago time.Duration) string {
		return prefix + strconv.FormatInt(now.Add(-ago).Unix(), 36) + "_abc"
	}
	old, young := made(25*time.Hour), made(2*time.Hour)
	require.Equal(t, []string{old}, stale([]string{old, young, "saga_demo", "saga_test_", "other_" + old}, now))
	require.Empty(t, stale([]string{newName()}, time.Now()))
}
