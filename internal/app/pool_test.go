package app

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/config"
	"go.example/saga/internal/testenv"
)

func TestVerifiedAsksForCertificatesOverANetwork(t *testing.T) {
	for given, want := range map[string]string{
		"postgres://a:b@db.example:5432/x":                   "postgres://a:b@db.example:5432/x?sslmode=verify-full",
		"postgres://a:b@db.example/x?connect_timeout=3":      "postgres://a:b@db.example/x?connect_timeout=3&sslmode=verify-full",
		"postgres://a:b@10.0.0.7/x":                          "postgres://a:b@10.0.0.7/x?sslmode=verify-full",
		"postgres://a:b@db.example/x?sslmode=disable":        "postgres://a:b@db.example/x?sslmode=disable",
		"postgres://a:b@127.0.0.1/x":                         "postgres://a:b@127.0.0.1/x",
		"postgres://a:b@[::1]/x":                             "postgres://a:b@[::1]/x",
		"postgres://a:b@localhost/x":                         "postgres://a:b@localhost/x",
		"postgres:///x?host=/var/run/postgresql":             "postgres:///x?host=/var/run/postgresql",
		"postgres:///x?host=db.example":                      "postgres:///x?host=db.example&sslmode=verify-full",
		"postgres://a:b@db.example/x?sslmode=require&user=c": "postgres://a:b@db.example/x?sslmode=require&user=c",
		"not a url at all, which OpenPool will say: \x7f%zz": "not a url at all, which OpenPool will say: \x7f%zz",
	} {
		require.Equal(t, want, Verified(config.Secret(given)).Reveal())
	}
}

// login makes a role that may log in to the database, until the test ends.
func login(t *testing.T, pool *pgxpool.Pool, suffix string) (name string) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT current_database() || $1`, suffix).Scan(&name))
	_, err := pool.Exec(t.Context(), fmt.Sprintf(`CREATE ROLE %q LOGIN`, name))
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := pool.Exec(context.Background(), fmt.Sprintf(`DROP ROLE %q`, name))
		require.NoError(t, err)
	})
	return name
}

// A pool that keeps nothing in sessions goes through a pooler, and asks for its user
// again for each connection.
func TestSessionlessPoolReadsItsURLAgain(t *testing.T) {
	t.Parallel()
	admin := testenv.Database(t)
	file := filepath.Join(t.TempDir(), "url")
	as := func(user string) {
		address, err := url.Parse(admin.Config().ConnString())
		require.NoError(t, err)
		address.User = url.User(user)
		require.NoError(t, os.WriteFile(file, []byte(address.String()), 0o600))
	}
	source := func() (config.Secret, error) {
		text, err := os.ReadFile(file)
		return config.Secret(text), err
	}
	first, second := login(t, admin, "_a"), login(t, admin, "_b")
	as(first)
	pool, err := OpenSessionlessPool(t.Context(), source, "test", 1)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	who := func() (name string) {
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT current_user`).Scan(&name))
		return name
	}
	require.Equal(t, first, who())
	as(second)
	require.Equal(t, first, who(), "a connection that stands is used")
	pool.Reset()
	require.Equal(t, second, who())
	pool.Close()
}
