package services

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTime bounds the start of a server on a slow machine.
const startTime = 2 * time.Minute

func (p *private) postgres(ctx context.Context, start bool) (Postgres, error) {
	if err := p.supported(); err != nil {
		return Postgres{}, err
	}
	record, err := readProcess(p.path("postgres.json"))
	runs := err == nil && record.alive()
	switch {
	case start && runs: // perhaps it is still replaying its log
		return p.awaitPostgres(ctx, record)
	case start:
		return p.startPostgres(ctx)
	case runs:
		return openPostgres(ctx, p.name(), postgresURL(record.Port))
	}
	return Postgres{}, errNotRunning
}

func postgresURL(port int) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
}

// startPostgres installs the package where it is missing, makes the cluster
// where it is missing, and starts the server.
func (p *private) startPostgres(ctx context.Context) (Postgres, error) {
	began := time.Now()
	bin, err := p.postgresPrograms(ctx)
	if err != nil {
		return Postgres{}, err
	}
	as, err := postgresIdentity(p.path())
	if err != nil {
		return Postgres{}, err
	}
	dir, err := p.instanceDir("postgres", as)
	if err != nil {
		return Postgres{}, err
	}
	data := filepath.Join(dir, "data")
	if err := p.initPostgres(ctx, as, bin, data); err != nil {
		return Postgres{}, err
	}
	if last, err := readProcess(p.path("postgres.json")); err == nil {
		last.awaitReaped(ctx)
	}
	found, err := onFreePorts(p, func(ports ports) (Postgres, error) { return p.startServer(ctx, as, bin, data, ports.Postgres) })
	if err == nil {
		p.report("the private PostgreSQL is ready after %s", time.Since(began).Round(100*time.Millisecond))
	}
	return found, err
}

// startServer trusts the loopback address alone: nothing else is listened on, and
// there is no unix socket that another user could reach. fsync stays on: the crash
// tests mean it.
func (p *private) startServer(ctx context.Context, as identity, bin, data string, port int) (Postgres, error) {
	server := as.command(context.WithoutCancel(ctx), filepath.Join(bin, "postgres"), "-D", data,
		"-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "max_connections=200")
	p.report("starting a private PostgreSQL on 127.0.0.1:%d, data in %s", port, data)
	record, err := spawn(server, p.path("postgres.log"), p.path("postgres.json"), port, syscall.SIGINT)
	if err != nil {
		return Postgres{}, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return p.awaitPostgres(ctx, record)
}

func (p *private) awaitPostgres(ctx context.Context, record process) (found Postgres, err error) {
	err = record.await(ctx, startTime, func() (err error) {
		if found, err = openPostgres(ctx, p.name(), postgresURL(record.Port)); err != nil {
			return err
		}
		return p.serves(ctx, found)
	})
	if err != nil {
		log := p.path("postgres.log")
		err = fmt.Errorf("the private PostgreSQL does not answer: %w; its log is %s and ends with: %s", err, log, endOfLog(log))
	}
	return found, err
}

// serves tells whether it is our data that the server serves: another clone's may
// have taken the port while ours was starting.
func (p *private) serves(ctx context.Context, server Postgres) error {
	var dir string
	err := server.administer(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT current_setting('data_directory')`).Scan(&dir)
	})
	if err == nil && dir != p.path("postgres", "data") {
		err = fmt.Errorf("the server on this port has its data in %s", dir)
	}
	return err
}

// initPostgres makes the cluster. It appears under its name only when it is
// complete, so that an interrupted run is repeated.
func (p *private) initPostgres(ctx context.Context, as identity, bin, data string) error {
	if _, err := os.Stat(data); err == nil {
		return nil
	}
	unfinished := data + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return fmt.Errorf("remove an unfinished cluster: %w", err)
	}
	p.report("making a PostgreSQL cluster in %s", data)
	out, err := as.command(ctx, filepath.Join(bin, "initdb"), "-D", unfinished, "--username=postgres",
		"--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLine(out))
	}
	return os.Rename(unfinished, data)
}

// postgresPrograms is the directory of the newest installed server's programs.
func (p *private) postgresPrograms(ctx context.Context) (string, error) {
	newest, err := newestPostgres()
	if err == nil {
		return newest, nil
	}
	if installErr := p.install(ctx, "postgresql", strconv.Itoa(minPostgres)); installErr != nil {
		return "", errors.Join(err, installErr)
	}
	return newestPostgres()
}

func newestPostgres() (string, error) {
	paths, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	newest, best := 0, ""
	for _, path := range paths {
		bin := filepath.Dir(path)
		if version, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && version > newest {
			newest, best = version, bin
		}
	}
	switch {
	case best == "":
		return "", errors.New("the package postgresql is not installed")
	case newest < minPostgres:
		return "", fmt.Errorf("PostgreSQL %d is installed, older than %d", newest, minPostgres)
	}
	return best, nil
}
