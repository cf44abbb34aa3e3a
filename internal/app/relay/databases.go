package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/internal/address"
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

// entry is one of the list of databases.
type entry struct {
	name string // the database's, with its server where another of the list is called so
	url  string
}

// entries reads the list as it is now.
func (s *Settings) entries() ([]entry, error) {
	urls, err := s.databaseURLs()
	if err != nil {
		return nil, err
	}
	var all []entry
	names := map[string]bool{}
	for i, url := range urls {
		cfg, err := address.ParseDatabase(url)
		if err != nil {
			return nil, fmt.Errorf("%w, entry %d: %w", ErrSettings, i+1, err)
		}
		server := cfg.ConnConfig
		full := server.Database + "@" + net.JoinHostPort(server.Host, strconv.Itoa(int(server.Port)))
		if names[full] {
			return nil, fmt.Errorf("%w, entry %d: database %s is listed twice", ErrSettings, i+1, full)
		}
		name := server.Database
		if names[name] {
			name = full
		}
		all = append(all, entry{name, url})
		names[name], names[full] = true, true
	}
	return all, nil
}

// addressOf gives the address that the list has for a database, as it is at the time.
func (s *Settings) addressOf(name string) app.Address {
	return func() (config.Secret, error) {
		all, err := s.entries()
		if err != nil {
			return "", fmt.Errorf("read the database's address: %w", err)
		}
		for _, e := range all {
			if e.name == name {
				return config.Secret(e.url), nil
			}
		}
		return "", fmt.Errorf("%w: the list has no database %s any more", ErrSettings, name)
	}
}

// openDatabase makes a pool for one, without connecting.
func (s *Settings) openDatabase(ctx context.Context, e entry, application string) (database, error) {
	pool, err := app.OpenSessionlessPool(ctx, s.addressOf(e.name), application, poolSize)
	if err != nil {
		return database{}, err
	}
	return database{e.name, e.url, pool, outboxpg.New(pool, s.DatabaseSchema)}, nil
}

// openDatabases makes a pool for each database. The caller closes them with the second value.
func openDatabases(ctx context.Context, s Settings, application string) ([]database, func(), error) {
	var databases []database
	closeAll := func() {
		var pools []*pgxpool.Pool
		for _, d := range databases {
			pools = append(pools, d.pool)
		}
		app.ClosePools(pools...)
	}
	all, err := s.entries()
	if err != nil {
		return nil, nil, err
	}
	for _, e := range all {
		d, err := s.openDatabase(ctx, e, application)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		databases = append(databases, d)
	}
	return databases, closeAll, nil
}
