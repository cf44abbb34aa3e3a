package app

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/address"
	"go.example/saga/internal/config"
	"go.example/saga/internal/testenv"
)

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

// What the address says now is used as a whole, and a former host is left.
func TestSessionlessPoolFollowsItsURL(t *testing.T) {
	t.Parallel()
	admin := testenv.Database(t)
	old := testenv.StartProxy(t, admin.Config().ConnString())
	var text atomic.Value
	text.Store(old.URL)
	pool, err := OpenSessionlessPool(t.Context(), func() (config.Secret, error) { return config.Secret(text.Load().(string)), nil }, "test", 3)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	acquire := func() (conn *pgxpool.Conn, port string) {
		conn, err := pool.Acquire(t.Context())
		if err == nil {
			_, port, err = net.SplitHostPort(conn.Conn().PgConn().Conn().RemoteAddr().String())
		}
		if !assert.NoError(t, err) {
			return nil, ""
		}
		return conn, port
	}
	first, oldPort := acquire()
	second, _ := acquire()
	text.Store(admin.Config().ConnString())
	third, newPort := acquire()
	first.Release()
	second.Release()
	third.Release()
	assert.Equal(t, strconv.Itoa(int(admin.Config().ConnConfig.Port)), newPort)
	assert.NotEqual(t, oldPort, newPort)
	var all []*pgxpool.Conn
	for range 3 {
		conn, port := acquire()
		assert.Equal(t, newPort, port, "none of the old ones comes back")
		all = append(all, conn)
	}
	for _, conn := range all {
		conn.Release()
	}

	other := *admin.Config().ConnConfig
	text.Store(strings.Replace(admin.Config().ConnString(), other.Database, "another", 1))
	pool.Reset()
	_, err = pool.Exec(t.Context(), `SELECT`)
	require.ErrorIs(t, err, address.ErrRefused)
	require.ErrorContains(t, err, "names database another now")
	pool.Close()
}
