package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/internal/app"
	"go.example/saga/internal/config"
	"go.example/saga/pkg/outbox/outboxpg"
)

// ErrSettings: a command cannot begin because its settings are wrong.
var ErrSettings = errors.New("DATABASE_URLS")

// poolSize of a database: each shard that is held reads, saves and looks after what is
// parked. Connections are opened when needed.
const poolSize = 32

// database is one of the databases whose outbox is relayed.
type database struct {
	name string // short, and unique among the configured ones
	url  string
	pool *pgxpool.Pool
	log  *outboxpg.Log
}

// openDatabases makes a pool for each database, without connecting. The caller
// closes them with the second value.
func openDatabases(ctx context.Context, s Settings, application string) ([]database, func(), error) {
	var databases []database
	closeAll := func() {
		var pools []*pgxpool.Pool
		for _, d := range databases {
			pools = append(pools, d.pool)
		}
		app.ClosePools(pools...)
	}
	names := map[string]bool{}
	urls, err := s.databaseURLs()
	if err != nil {
		return nil, nil, fmt.Errorf("%w_FILE: %w", ErrSettings, err)
	}
	for i, url := range urls {
		pool, err := app.OpenSessionlessPool(ctx, s.databaseURL(i), application, poolSize)
		if err != nil {
			closeAll()
			return nil, nil, fmt.Errorf("%w, entry %d: %w", ErrSettings, i+1, err)
		}
		server := pool.Config().ConnConfig
		full := server.Database + "@" + net.JoinHostPort(server.Host, strconv.Itoa(int(server.Port)))
		name := server.Database
		if names[name] {
			name = full
		}
		databases = append(databases, database{name, url, pool, outboxpg.New(pool, s.DatabaseSchema)})
		if names[full] {
			closeAll()
			return nil, nil, fmt.Errorf("%w, entry %d: database %s is listed twice", ErrSettings, i+1, full)
		}
		names[name], names[full] = true, true
	}
	return databases, closeAll, nil
}

// databaseURL gives one of the list as it is at the time.
func (s *Settings) databaseURL(i int) func() (config.Secret, error) {
	return func() (config.Secret, error) {
		urls, err := s.databaseURLs()
		if err == nil && i >= len(urls) {
			err = fmt.Errorf("the list of databases has lost its entry %d", i+1)
		}
		if err != nil {
			return "", fmt.Errorf("read the database's URL: %w", err)
		}
		return config.Secret(urls[i]), nil
	}
}
