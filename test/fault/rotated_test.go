package fault

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
)

// tenant is the user of databases and broker whose password is changed.
const tenant = "tenant"

// The passwords of databases and broker change under load, sessions of the old ones end, and
// the files that hold them are written some time later. All five programs come back by
// themselves, and every saga ends well.
func TestAllProgramsTakeNewSecrets(t *testing.T) {
	t.Parallel()
	c, n := newCluster(t), startNode(t)
	hba := "host all postgres 127.0.0.1/32 trust\nhost all " + tenant + " 127.0.0.1/32 scram-sha-256\n"
	require.NoError(t, os.WriteFile(filepath.Join(c.data, "pg_hba.conf"), []byte(hba), 0o600))
	c.start()
	c.exec("postgres", `CREATE ROLE `+tenant+` LOGIN PASSWORD 'first'`)
	n.ctl("add_user", tenant, "first")
	n.ctl("set_permissions", tenant, ".*", ".*", ".*")
	s := &stacktest.Stack{AMQP: n.URL}
	for database, pool := range map[string]**pgxpool.Pool{"reservation": &s.Reservation, "hotel": &s.Hotel, "payment": &s.Payment} {
		c.exec("postgres", `CREATE DATABASE `+database+` OWNER `+tenant)
		*pool = c.pool(database)
	}
	password := "first"
	rewrite := s.StartAs(t, func(address string) string {
		u, err := url.Parse(address)
		require.NoError(t, err)
		u.User = url.UserPassword(tenant, password)
		return u.String()
	})
	g := keepComing(t, s, 10)
	settled := func() int {
		return stacktest.Count(t, s.Reservation, `SELECT count(*) FROM reservation WHERE status <> 'PENDING'`)
	}
	require.Eventually(t, func() bool { return settled() > 10 }, patience, 50*time.Millisecond)

	password = "second"
	c.exec("postgres", `ALTER ROLE `+tenant+` PASSWORD 'second'`)
	n.ctl("change_password", tenant, password)
	c.exec("postgres", `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1`, tenant)
	n.ctl("close_all_user_connections", tenant, "the password has changed")
	awaitTrouble(t, s, "relay", "orchestrator", "reservation", "hotel", "payment")
	rewrite()
	followed(t, s, g, settled)
}
