package relay

import (
	"cmp"
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
	sagasql "go.example/saga/sql"
)

// ErrSettings: a command cannot begin because its settings are wrong.
var ErrSettings = errors.New("DATABASE_URLS")

// poolSize of a database: each shard that is held reads, saves and looks after what is
// parked. Connections are opened when needed.
const poolSize = 32

// entry is one of the list of databases.
type entry struct {
	// name is short, and unique in the list: the database's, behind which stands the schema
	// where the entry names one, and the server where another is called so.
	name   string
	url    string
	schema string // that holds the tables; empty means public
}

// database is an entry whose outbox is relayed.
type database struct {
	entry
	pool *pgxpool.Pool
	log  *outboxpg.Log
}

// entries reads the list as it is now.
func (s *Settings) entries() ([]entry, error) {
	text, err := s.databases()
	if err != nil {
		return nil, err
	}
	listed, err := address.Databases(text.Reveal())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	var all []entry
	names, places := map[string]bool{}, map[string]bool{}
	for i, one := range listed {
		if err := sagasql.CheckSchema(one.Schema); err != nil {
			return nil, fmt.Errorf("%w: entry %d of %d: %w", ErrSettings, i+1, len(listed), err)
		}
		e := entry{url: one.URL, schema: cmp.Or(one.Schema, s.DatabaseSchema)}
		server := one.Config.ConnConfig
		host := "@" + net.JoinHostPort(server.Host, strconv.Itoa(int(server.Port)))
		schema := cmp.Or(e.schema, "public")
		place := server.Database + host + "/" + schema
		if places[place] {
			return nil, fmt.Errorf("%w: entry %d of %d: schema %s of database %s is listed twice",
				ErrSettings, i+1, len(listed), schema, server.Database+host)
		}
		places[place] = true
		e.name = server.Database
		if one.Schema != "" {
			e.name += "/" + one.Schema
		}
		if names[e.name] {
			e.name += host
		}
		names[e.name] = true
		all = append(all, e)
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
	return database{e, pool, outboxpg.New(pool, e.schema)}, nil
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
