package services

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPrivateInstances starts both servers in a directory that only its owner
// may enter, kills PostgreSQL, starts it again on the same data and stops both.
func TestPrivateInstances(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starting servers takes seconds")
	}
	_, noPostgres := newestPostgres()
	_, noRabbit := os.Stat(rabbitServer)
	if missing := errors.Join(noPostgres, noRabbit); missing != nil && os.Getenv("CI") == "" {
		t.Skipf("install PostgreSQL and rabbitmq-server to run this: %v", missing)
	}
	closed := filepath.Join(t.TempDir(), "closed")
	require.NoError(t, os.Mkdir(closed, 0o700))
	p := &private{dir: closed, report: t.Logf}
	require.NoError(t, os.Mkdir(p.path(), 0o755))
	ctx := t.Context()
	t.Cleanup(func() { require.NoError(t, p.down(context.Background())) })

	up := func() Set {
		postgres, err := p.postgres(ctx, true)
		require.NoError(t, err)
		broker, err := p.broker(ctx, true)
		require.NoError(t, err)
		return Set{Postgres: postgres, Broker: broker}
	}
	_, err := p.postgres(ctx, false)
	require.ErrorIs(t, err, errNotRunning)
	set := up()
	require.NoError(t, set.Prepare(ctx, t.Logf))

	record, err := readProcess(p.path("postgres.json"))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(record.PID, syscall.SIGKILL))
	require.Eventually(t, func() bool { return !record.alive() }, 10*time.Second, 20*time.Millisecond)
	set = up()
	databases, err := set.Postgres.Databases(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{HotelDatabase, PaymentDatabase, ReservationDatabase}, databases)
	vhosts, err := set.Broker.Vhosts(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{DemoVhost}, vhosts)

	require.NoError(t, set.Drop(ctx, t.Logf))
	databases, err = set.Postgres.Databases(ctx)
	require.NoError(t, err)
	require.Empty(t, databases)

	require.NoError(t, p.down(ctx))
	_, err = p.broker(ctx, false)
	require.ErrorIs(t, err, errNotRunning)
}
