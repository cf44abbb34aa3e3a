package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/internal/config"
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
// PgBouncer accepts them when ignore_startup_parameters names them.
var sessionLimits = map[string]string{
	"statement_timeout": "30s",
	// A frozen process must not hold row locks for ever.
	"idle_in_transaction_session_timeout": "10s",
	"lock_timeout":                        "10s",
}

// OpenPool makes a pool of at most maxConns connections, which name shows in
// pg_stat_activity. It does not connect: the database need not be up yet. The
// error never holds the URL, because the URL holds the password.
func OpenPool(ctx context.Context, url config.Secret, name string, maxConns int32) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url.Reveal())
	if err != nil {
		// The parser's own text can quote pieces of the password.
		return nil, errors.New("the database URL cannot be read; it has to look like " +
			"postgres://user:password@host:5432/database?sslmode=disable " +
			"with special characters in the password percent-encoded")
	}
	cfg.MaxConns = maxConns
	cfg.MaxConnLifetime = connMaxLifetime
	cfg.MaxConnLifetimeJitter = connMaxLifetime / 10
	cfg.ConnConfig.ConnectTimeout = connectTimeout
	params := cfg.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = name
	}
	for key, value := range sessionLimits {
		if params[key] == "" {
			params[key] = value
		}
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
