package testenv

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/internal/dev/services"
)

// PgBouncer is the URL of the pool's database behind a pgbouncer of this test alone.
// It pools by transaction over at most two sessions, so that clients do share them, and
// takes no other settings at connect than Debian's does.
func PgBouncer(t testing.TB, pool *pgxpool.Pool) string {
	t.Helper()
	program, err := services.Pooler()
	if err != nil {
		t.Fatal(err)
	}
	target := pool.Config().ConnConfig
	for {
		port, err := freePort()
		if err != nil {
			t.Fatalf("find a port for pgbouncer: %v", err)
		}
		path := filepath.Join(t.TempDir(), "pgbouncer.ini")
		if err := os.WriteFile(path, []byte(pgbouncerConfig(target.Config, port)), 0o600); err != nil {
			t.Fatalf("configure pgbouncer: %v", err)
		}
		log := startPgbouncer(t, program, path)
		url := fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", target.User, port, target.Database)
		err = awaitPgbouncer(url)
		if err == nil {
			return url
		}
		said := log()
		if !strings.Contains(said, "Address already in use") { // by who took the port since
			t.Fatalf("pgbouncer does not answer: %v; it said:\n%s", err, said)
		}
	}
}

// freePort is a port that nobody listens on at the moment.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

func pgbouncerConfig(target pgconn.Config, port int) string {
	quoted := func(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }
	server := fmt.Sprintf("host=%s port=%d user=%s", quoted(target.Host), target.Port, quoted(target.User))
	if target.Password != "" { // an empty one is a syntax error
		server += " password=" + quoted(target.Password)
	}
	return fmt.Sprintf(`[databases]
%s = %s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
`, target.Database, server, port)
}

// startPgbouncer runs it until the test ends. The shell ends it when the pipe closes,
// which also happens when this process is killed. As root it becomes nobody, because
// it refuses to run as root.
func startPgbouncer(t testing.TB, program, config string) (log func() string) {
	t.Helper()
	args := []string{"-c", `"$@" & read -r _; kill $!; wait`, "sh", program, config}
	if os.Geteuid() == 0 {
		args = append(args, "--user=nobody")
	}
	command := exec.Command("sh", args...)
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	stop, err := command.StdinPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatalf("start pgbouncer: %v", err)
	}
	end := func() string {
		_ = stop.Close()
		_ = command.Wait()
		return cmp.Or(said.String(), "nothing")
	}
	t.Cleanup(func() { end() })
	return end
}

func awaitPgbouncer(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminTime)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}
