package fault

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
)

// pooler is a pgbouncer that can be led from one cluster to another while its clients stay
// connected.
type pooler struct {
	server
	config, port string
}

func startPooler(t *testing.T, target *cluster) *pooler {
	t.Helper()
	program, err := services.Pooler()
	require.NoError(t, err)
	dir := ownDir(t)
	p := &pooler{config: filepath.Join(dir, "pgbouncer.ini"), port: freePort(t)}
	p.server = server{T: t, log: filepath.Join(t.TempDir(), "pgbouncer.log"), command: func() *exec.Cmd {
		return asPostgres(t, exec.Command(program, p.config))
	}}
	require.NoError(t, os.Chmod(dir, 0o755)) // it runs as another user
	p.configure(target)
	p.run()
	p.console(`SHOW VERSION`)
	return p
}

func (p *pooler) configure(target *cluster) {
	p.Helper()
	require.NoError(p, os.WriteFile(p.config, fmt.Appendf(nil, `[databases]
%s = host=127.0.0.1 port=%s user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
admin_users = postgres
pool_mode = transaction
ignore_startup_parameters = statement_timeout, lock_timeout, idle_in_transaction_session_timeout, jit
`, clusterDatabase, target.port, p.port), 0o644))
}

func (p *pooler) url(database string) string {
	return "postgres://postgres@127.0.0.1:" + p.port + "/" + database + "?sslmode=disable"
}

// console gives it an operator's command, as soon as it listens.
func (p *pooler) console(command string) {
	p.Helper()
	var conn *pgx.Conn
	require.Eventually(p, func() bool {
		config, err := pgx.ParseConfig(p.url("pgbouncer"))
		require.NoError(p, err)
		config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		conn, err = pgx.ConnectConfig(p.Context(), config)
		return err == nil
	}, patience, 20*time.Millisecond, "the pooler answers, see %s", p.log)
	defer func() { _ = conn.Close(p.Context()) }()
	_, err := conn.Exec(p.Context(), command)
	require.NoError(p, err, command)
}

// lead ends a PAUSE at another cluster.
func (p *pooler) lead(to *cluster) {
	p.Helper()
	p.configure(to)
	p.console(`RELOAD`)
	p.console(`RESUME`)
}
