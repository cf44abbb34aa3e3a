package instance

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL server.
type Postgres struct {
	Process
	port int
}

// PostgresSettings are where a server is.
type PostgresSettings struct {
	// Root is the folder of another distribution; empty means this machine.
	Root string
	// Bin holds its programs. It is a path below Root.
	Bin string
	// Dir is made for the server's data. It is a path below Root.
	Dir string
	// Options are more arguments of the server: -c, setting=value.
	Options []string
}

// NewPostgres makes an empty cluster and does not start it.
func NewPostgres(settings PostgresSettings) (*Postgres, error) {
	account, err := postgresAccount(settings.Root)
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	outside := filepath.Join(settings.Root, settings.Dir)
	if err := os.MkdirAll(outside, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of a PostgreSQL: %w", err)
	}
	if account != nil {
		if err := os.Chown(outside, int(account.Uid), int(account.Gid)); err != nil {
			return nil, fmt.Errorf("give the directory of a PostgreSQL to its user: %w", err)
		}
	}
	program := func(name string, args ...string) *exec.Cmd {
		cmd := command(settings.Root, filepath.Join(settings.Bin, name), args...)
		cmd.SysProcAttr.Credential = account
		return cmd
	}
	data := filepath.Join(settings.Dir, "data")
	if out, err := program("initdb", "--pgdata="+data, "--no-sync", "--username=postgres", "--auth=trust",
		"--encoding=UTF8", "--locale=C.UTF-8").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	args := append([]string{
		"-D", data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
	}, settings.Options...)
	return &Postgres{port: port, Process: Process{
		Log:     filepath.Join(outside, "postgres.log"),
		Command: func() *exec.Cmd { return program("postgres", args...) },
	}}, nil
}

// URL leads to the database postgres.
func (p *Postgres) URL() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", p.port)
}

// Ready waits until it answers.
func (p *Postgres) Ready(ctx context.Context) error {
	return p.await(ctx, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, p.URL())
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

// postgresAccount is the user that PostgreSQL runs as where this is root, for it refuses to
// run as root; nil is the user who starts it.
func postgresAccount(root string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	file, err := os.Open(filepath.Join(root, "/etc/passwd"))
	if err != nil {
		return nil, fmt.Errorf("find the user postgres: %w", err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 4 || fields[0] != "postgres" {
			continue
		}
		uid, uidErr := strconv.ParseUint(fields[2], 10, 32)
		gid, gidErr := strconv.ParseUint(fields[3], 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, fmt.Errorf("there is no user postgres in %s", file.Name())
}

// PostgresPrograms is where Debian puts the programs of the newest PostgreSQL that is
// installed in root, as seen from inside. Starting one that is not there names the folder.
func PostgresPrograms(root string) string {
	found, _ := filepath.Glob(filepath.Join(root, "/usr/lib/postgresql/*/bin")) // the pattern is a good one
	newest, best := 0, "/usr/lib/postgresql/bin"
	for _, bin := range found {
		if version, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && version > newest {
			newest, best = version, strings.TrimPrefix(bin, root)
		}
	}
	return best
}
