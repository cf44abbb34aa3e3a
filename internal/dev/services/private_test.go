package services

import (
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// TestPrivateInstances starts both servers in a directory that only its owner
// may enter, kills PostgreSQL, starts it again on the same data and stops both.
func TestPrivateInstances(t *testing.T) {
	t.Parallel()
	needServers(t)
	p := newPrivate(t)
	ctx := t.Context()

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
	require.ErrorContains(t, newPrivate(t).serves(ctx, set.Postgres), "the server on this port has its data in "+p.path())
	requireForeignDatabaseStays(t, set)
	borrowed, err := set.Prepare(ctx, t.Logf)
	require.NoError(t, err)
	require.False(t, borrowed)
	_, err = set.Prepare(ctx, t.Logf)
	require.NoError(t, err, "again")

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

	session, err := pgx.Connect(ctx, set.Postgres.Database(HotelDatabase))
	require.NoError(t, err)
	require.ErrorContains(t, set.Drop(ctx, t.Logf), "in use, by a demo, daemons, tests or somebody's psql: "+HotelDatabase)
	require.NoError(t, session.Ping(ctx), "nobody's session is ended")
	vhosts, err = set.Broker.Vhosts(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{DemoVhost}, vhosts, "all stays together")
	require.NoError(t, session.Close(ctx))
	require.NoError(t, set.Drop(ctx, t.Logf))
	databases, err = set.Postgres.Databases(ctx)
	require.NoError(t, err)
	require.Empty(t, databases)

	require.NoError(t, p.down(ctx))
	_, err = p.broker(ctx, false)
	require.ErrorIs(t, err, errNotRunning)
}

// requireForeignDatabaseStays has somebody make a database with a name of the
// sample, and nothing happens to it.
func requireForeignDatabaseStays(t *testing.T, set Set) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, set.Postgres.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(ctx)) }()
	_, err = conn.Exec(ctx, `CREATE DATABASE saga_hotel`)
	require.NoError(t, err)

	_, err = set.Prepare(ctx, t.Logf)
	require.ErrorAs(t, err, &Foreign{})
	require.ErrorContains(t, err, "DROP DATABASE saga_hotel")
	vhosts, err := set.Broker.Vhosts(ctx)
	require.NoError(t, err)
	require.Empty(t, vhosts, "nothing was made")
	require.NoError(t, set.Drop(ctx, t.Logf))
	require.ErrorAs(t, set.Postgres.DropDatabases(ctx, HotelDatabase), &Foreign{})
	_, err = set.Postgres.DropIdleDatabases(ctx, HotelDatabase)
	require.ErrorAs(t, err, &Foreign{})
	_, foreign, err := set.Postgres.databases(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{HotelDatabase}, foreign)
	_, err = conn.Exec(ctx, `DROP DATABASE saga_hotel`)
	require.NoError(t, err)
}
