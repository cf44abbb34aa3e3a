package app

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/internal/address"
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

// Address is that of a database, as it is now.
type Address func() (config.Secret, error)

// OpenPool makes a pool of at most maxConns connections, which name shows in
// pg_stat_activity. It does not connect: the database need not be up yet. An address
// that cannot be read is [address.ErrRefused]; its text is never part of an error.
//
// The address is asked for again for each connection, and all that it says is used then: a
// new user and password, another host, other certificates. Once it names another host, the
// connections to the former one are closed as they come back. Another database is refused,
// because what was read there says nothing here.
//
// PgBouncer in transaction mode may be in between. Before each connection it is seen whether a
// server process of its own would answer. Only then the session has limits, and statements
// that are prepared: what is kept in a session of a pooler is in somebody else's way.
func OpenPool(ctx context.Context, url Address, name string, maxConns int32) (*pgxpool.Pool, error) {
	return openPool(ctx, url, name, maxConns, sessionLimits)
}

// OpenSteadyPool makes a pool as [OpenPool] does, for statements that find their rows by
// a key and are made again and again: each is planned once a connection.
func OpenSteadyPool(ctx context.Context, url Address, name string, maxConns int32) (*pgxpool.Pool, error) {
	return openPool(ctx, url, name, maxConns, sessionLimits, steadyPlans)
}

// OpenHandlersPool makes a pool as [OpenSteadyPool] does, for handlers that have so long:
// no statement is cut off before.
func OpenHandlersPool(ctx context.Context, url Address, name string, maxConns int32, limit time.Duration) (*pgxpool.Pool, error) {
	longer := map[string]string{}
	if usual, err := time.ParseDuration(sessionLimits["statement_timeout"]); err != nil || limit > usual {
		longer["statement_timeout"] = strconv.FormatInt(limit.Milliseconds(), 10)
	}
	return openPool(ctx, url, name, maxConns, longer, sessionLimits, steadyPlans)
}

// OpenSessionlessPool makes a pool as [OpenPool] does, whose sessions have no limits in any
// case. Every call needs a deadline of its own.
func OpenSessionlessPool(ctx context.Context, url Address, name string, maxConns int32) (*pgxpool.Pool, error) {
	return openPool(ctx, url, name, maxConns)
}

func openPool(ctx context.Context, url Address, name string, maxConns int32, settings ...map[string]string) (*pgxpool.Pool, error) {
	text, err := url()
	if err != nil {
		return nil, err
	}
	cfg, err := poolConfig(text, name, maxConns)
	if err != nil {
		return nil, err
	}
	r := &rereader{url: url, name: name, settings: settings, database: cfg.ConnConfig.Database}
	r.changed(cfg.ConnConfig)
	cfg.BeforeConnect = r.beforeConnect
	pool, err := newPool(ctx, cfg)
	r.pool.Store(pool)
	return pool, err
}

// rereader reads the address of a pool's database anew.
type rereader struct {
	url      Address
	name     string
	settings []map[string]string // of sessions, the first that has one holds
	database string
	pool     atomic.Pointer[pgxpool.Pool]

	mu      sync.Mutex
	servers string // where the last one led
}

func (r *rereader) beforeConnect(ctx context.Context, conn *pgx.ConnConfig) error {
	text, err := r.url()
	if err != nil {
		return err
	}
	fresh, err := poolConfig(text, r.name, 1)
	if err != nil {
		return err
	}
	if fresh.ConnConfig.Database != r.database {
		return fmt.Errorf("%w: it names database %s now, and named %s at the start: restart the program for another database",
			address.ErrRefused, fresh.ConnConfig.Database, r.database)
	}
	if pool := r.pool.Load(); r.changed(fresh.ConnConfig) && pool != nil {
		pool.Reset()
	}
	*conn = *fresh.ConnConfig
	own, err := direct(ctx, conn)
	if err != nil {
		return err
	}
	if !own {
		conn.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		return nil
	}
	for _, some := range r.settings {
		for key, value := range some {
			if conn.RuntimeParams[key] == "" {
				conn.RuntimeParams[key] = value
			}
		}
	}
	return nil
}

// changed tells whether the servers are others than at the last call.
func (r *rereader) changed(conn *pgx.ConnConfig) bool {
	servers := net.JoinHostPort(conn.Host, strconv.Itoa(int(conn.Port)))
	for _, f := range conn.Fallbacks {
		servers += " " + net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port)))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.servers
	r.servers = servers
	return before != servers
}

// direct finds out, with a connection of its own, whether the server process that
// answers is the one that the login named. A pooler names another.
func direct(ctx context.Context, cfg *pgx.ConnConfig) (bool, error) {
	conn, err := pgx.ConnectConfig(ctx, cfg.Copy())
	if err != nil {
		return false, err
	}
	defer func() { _ = conn.Close(ctx) }()
	var process uint32
	err = conn.QueryRow(ctx, sagasql.Query("", "relay/backend.sql"), pgx.QueryExecModeExec).Scan(&process)
	return process == conn.PgConn().PID(), err
}

func poolConfig(url config.Secret, name string, maxConns int32) (*pgxpool.Config, error) {
	cfg, err := address.ParseDatabase(url.Reveal())
	if err != nil {
		return nil, err
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
