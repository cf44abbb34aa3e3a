package fault

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	sagasql "go.example/saga/sql"
)

// cluster is a PostgreSQL of one test.
type cluster struct {
	server
	data, port string
}

// newCluster makes an empty one and does not start it.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	needs(t, postgresProgram("postgres"), postgresProgram("initdb"))
	c := clusterIn(t)
	c.program("initdb", "--pgdata="+c.data, "--no-sync", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
	return c
}

// clusterIn is one whose data somebody else makes.
func clusterIn(t *testing.T) *cluster {
	t.Helper()
	dir := ownDir(t)
	if os.Geteuid() == 0 {
		uid, gid := postgresUser(t)
		require.NoError(t, os.Chown(dir, uid, gid))
	}
	c := &cluster{data: filepath.Join(dir, "data"), port: freePort(t)}
	c.server = server{T: t, log: filepath.Join(t.TempDir(), "postgres.log"), command: func() *exec.Cmd {
		return asPostgres(t, exec.Command(postgresProgram("postgres"), "-D", c.data, "-p", c.port, "-c", "fsync=off",
			"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "wal_level=logical", "-c", "max_prepared_transactions=5"))
	}}
	return c
}

// program runs one of PostgreSQL's to its end.
func (c *cluster) program(name string, args ...string) {
	c.Helper()
	cmd := asPostgres(c.T, exec.Command(postgresProgram(name), args...))
	cmd.Dir = filepath.Dir(c.data)
	out, err := cmd.CombinedOutput()
	require.NoError(c, err, "%s", out)
}

func (c *cluster) start() {
	c.Helper()
	c.run()
	require.Eventually(c, func() bool {
		conn, err := pgx.Connect(c.Context(), c.url("postgres"))
		return err == nil && conn.Close(c.Context()) == nil
	}, patience, 50*time.Millisecond, "the server answers, see %s", c.log)
}

func (c *cluster) url(database string) string {
	return "postgres://postgres@127.0.0.1:" + c.port + "/" + database + "?sslmode=disable"
}

const clusterDatabase = "shop"

// exec runs a statement in a session of its own.
func (c *cluster) exec(database, sql string, args ...any) {
	c.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, c.url(database))
	require.NoError(c, err)
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, sql, args...)
	require.NoError(c, err, sql)
}

// install makes the database with its outbox.
func (c *cluster) install() {
	c.Helper()
	c.exec("postgres", `CREATE DATABASE `+clusterDatabase)
	require.NoError(c, sagasql.Up(c.Context(), c.url(clusterDatabase), "", sagasql.Outbox))
}

// road leads from the cluster's database to the broker.
func (c *cluster) road(broker string) *road {
	c.Helper()
	db, err := pgxpool.New(c.Context(), c.url(clusterDatabase))
	require.NoError(c, err)
	c.Cleanup(db.Close)
	return &road{T: c.T, db: db, database: c.url(clusterDatabase), broker: broker}
}

// stop ends the server as an operator does: what is committed is on the disk.
func (c *cluster) stop() { c.end(syscall.SIGINT) }

// either is the URL of the one of two clusters that may be written to.
func either(a, b *cluster) string { return oneOf(a, b, "read-write") }

// oneOf is the URL of the first of two clusters whose sessions have these attributes.
func oneOf(a, b *cluster, attributes string) string {
	query := url.Values{
		"host": {"127.0.0.1,127.0.0.1"}, "port": {a.port + "," + b.port},
		"target_session_attrs": {attributes}, "sslmode": {"disable"},
	}
	return "postgres://postgres@/" + clusterDatabase + "?" + query.Encode()
}
