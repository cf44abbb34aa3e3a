package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	neturl "net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/internal/config"
	sagasql "go.example/saga/sql"
)

const (
	connectTimeout = 5 * time.Second
	// connMaxLifetime lets a pool move to another server after a failover.
	connMaxLifetime = 30 * time.Minute
	// closeTimeout bounds the farewell to a database at the end of the process.
	closeTimeout = 2 * time.Second
)

// sessionLimits hold where the URL does not say otherwise. They are sent at
// connect, so that they cost no round trip and need no right to ALTER ROLE.
// PgBouncer accepts them, and those of steadyPlans, when ignore_startup_parameters names
// them.
var sessionLimits = map[string]string{
	"statement_timeout": "30s",
	// A frozen process must not hold row locks for ever.
	"idle_in_transaction_session_timeout": "10s",
	"lock_timeout":                        "10s",
}

// steadyPlans hold for who carries out the same few statements all day, each of which
// finds its rows by a key.
var steadyPlans = map[string]string{
	// A plan that is made while a table is empty, and kept, would read all of the table
	// until it is next analysed.
	"enable_seqscan": "off",
	// What remains to be read as a whole is small, however dear the planner calls it now.
	"jit": "off",
	// However much a table holds: a few rows are not worth another process.
	"max_parallel_workers_per_gather": "0",
	// Planned anew for each batch, a statement takes as long again.
	"plan_cache_mode": "force_generic_plan",
}

// errURL leaves the parser's own text out: it can quote pieces of the password.
var errURL = errors.New("the database URL cannot be read; it has to look like " +
	"postgres://user:password@host:5432/database?sslmode=disable " +
	"with special characters in the password percent-encoded")

// OpenPool makes a pool of at most maxConns connections, which name shows in
// pg_stat_activity. It does not connect: the database need not be up yet. The
// error never holds the URL, because the URL holds the password.
func OpenPool(ctx context.Context, url config.Secret, name string, maxConns int32) (*pgxpool.Pool, error) {
	return openPool(ctx, url, name, maxConns, sessionLimits)
}

// OpenSteadyPool makes a pool as [OpenPool] does, for statements that find their rows by
// a key and are made again and again: each is planned once a connection.
func OpenSteadyPool(ctx context.Context, url config.Secret, name string, maxConns int32) (*pgxpool.Pool, error) {
	return openPool(ctx, url, name, maxConns, sessionLimits, steadyPlans)
}

func openPool(ctx context.Context, url config.Secret, name string, maxConns int32, settings ...map[string]string) (*pgxpool.Pool, error) {
	cfg, err := poolConfig(url, name, maxConns)
	if err != nil {
		return nil, err
	}
	for _, some := range settings {
		for key, value := range some {
			if cfg.ConnConfig.RuntimeParams[key] == "" {
				cfg.ConnConfig.RuntimeParams[key] = value
			}
		}
	}
	return newPool(ctx, cfg)
}

// OpenSessionlessPool makes a pool as [OpenPool] does, for who keeps nothing in a
// session, so that PgBouncer in transaction mode may be in between: no settings but the
// name, and prepared statements only where each connection is seen to have a server
// process of its own. Every call needs a deadline of its own. url is
// asked again for each connection, so that a changed user and password are used.
func OpenSessionlessPool(ctx context.Context, url func() (config.Secret, error), name string, maxConns int32) (*pgxpool.Pool, error) {
	text, err := url()
	if err != nil {
		return nil, err
	}
	cfg, err := poolConfig(text, name, maxConns)
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	cfg.BeforeConnect = func(ctx context.Context, conn *pgx.ConnConfig) error {
		text, err := url()
		if err != nil {
			return err
		}
		fresh, err := pgx.ParseConfig(text.Reveal())
		if err != nil {
			return errURL
		}
		conn.User, conn.Password = fresh.User, fresh.Password
		if direct(ctx, conn) {
			conn.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
		}
		return nil
	}
	return newPool(ctx, cfg)
}

// direct finds out, with a connection of its own, whether the server process that
// answers is the one that the login named. A pooler names another.
func direct(ctx context.Context, cfg *pgx.ConnConfig) bool {
	conn, err := pgx.ConnectConfig(ctx, cfg.Copy())
	if err != nil {
		return false // the connection that is wanted says it better
	}
	defer func() { _ = conn.Close(ctx) }()
	var process uint32
	err = conn.QueryRow(ctx, sagasql.Query("", "relay/backend.sql"), pgx.QueryExecModeExec).Scan(&process)
	return err == nil && process == conn.PgConn().PID()
}

func poolConfig(url config.Secret, name string, maxConns int32) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(Verified(url).Reveal())
	if err != nil {
		return nil, errURL
	}
	cfg.MaxConns = maxConns
	cfg.MaxConnLifetime = connMaxLifetime
	cfg.MaxConnLifetimeJitter = connMaxLifetime / 10
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = name
	}
	return cfg, nil
}

func newPool(ctx context.Context, cfg *pgxpool.Config) (*pgxpool.Pool, error) {
	// A database that was made read-only for a while, as providers do when the disk is
	// full, leaves the sessions of that time read-only: they are not used again.
	cfg.AfterRelease = func(conn *pgx.Conn) bool {
		return conn.PgConn().ParameterStatus("default_transaction_read_only") != "on"
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("make the pool for database %s: %w", cfg.ConnConfig.Database, err)
	}
	return pool, nil
}

// Verified adds to a database's URL what libpq's default lacks: over a network, TLS
// and a certificate that is checked. Another sslmode in the URL, or in PGSSLMODE, is
// somebody's choice and stays.
func Verified(url config.Secret) config.Secret {
	parsed, err := neturl.Parse(url.Reveal())
	if err != nil || parsed.Query().Has("sslmode") || os.Getenv("PGSSLMODE") != "" || isLocal(parsed) {
		return url
	}
	query := parsed.Query()
	query.Set("sslmode", "verify-full")
	parsed.RawQuery = query.Encode()
	return config.Secret(parsed.String())
}

// isLocal says that the server is on this machine: a loopback address or a socket.
func isLocal(url *neturl.URL) bool {
	host := url.Hostname()
	if host == "" {
		host = url.Query().Get("host")
	}
	if host == "" || host == "localhost" || strings.HasPrefix(host, "/") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// ClosePools closes the pools at the end of the process. It does not wait long for
// a database that has fallen silent, as a pool's own Close does.
func ClosePools(pools ...*pgxpool.Pool) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		var all sync.WaitGroup
		for _, pool := range pools {
			all.Go(pool.Close)
		}
		all.Wait()
	}()
	select {
	case <-closed:
	case <-time.After(closeTimeout):
	}
}
