package services

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL server.
type Postgres struct {
	// URL reaches the database that administers the others.
	URL string
	// Way says how the server was found or started.
	Way string
	// Version is the server's major version.
	Version int
}

// Prefix starts the name of every database and virtual host that the project
// creates or drops.
const Prefix = "saga_"

// openPostgres connects once and checks the version and the right to create databases.
func openPostgres(ctx context.Context, way, address string) (Postgres, error) {
	if u, err := url.Parse(address); err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		return Postgres{}, fmt.Errorf("the address of PostgreSQL is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	server := Postgres{URL: address, Way: way}
	var mayCreate bool
	err := server.administer(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int / 10000,
			(SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user)`).Scan(&server.Version, &mayCreate)
	})
	switch {
	case err != nil:
		return Postgres{}, err
	case server.Version < minPostgres:
		return Postgres{}, fmt.Errorf("PostgreSQL there is version %d, older than %d", server.Version, minPostgres)
	case !mayCreate:
		return Postgres{}, fmt.Errorf("the user there may not create databases (ALTER ROLE … CREATEDB)")
	}
	return server, nil
}

// Database is the URL of another database of the server.
func (p Postgres) Database(name string) string { return withPath(p.URL, name) }

// Databases lists the databases that the project made.
func (p Postgres) Databases(ctx context.Context) ([]string, error) {
	var names []string
	err := p.administer(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname`, Prefix)
		if err != nil {
			return err
		}
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the databases %s*: %w", Prefix, err)
	}
	return names, nil
}

// CreateDatabase creates a database as a copy of template; template1 where empty.
func (p Postgres) CreateDatabase(ctx context.Context, name, template string) error {
	if !strings.HasPrefix(name, Prefix) {
		return fmt.Errorf("create database %q: the project makes only databases named %s*", name, Prefix)
	}
	if template == "" {
		template = "template1"
	}
	err := p.administer(ctx, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE DATABASE "+quote(name)+" TEMPLATE "+quote(template))
		return err
	})
	if err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	return nil
}

// DropDatabases drops databases of the project together with the sessions in them.
func (p Postgres) DropDatabases(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	return p.administer(ctx, func(conn *pgx.Conn) error {
		for _, name := range names {
			if !strings.HasPrefix(name, Prefix) {
				return fmt.Errorf("drop database %q: the project drops only databases named %s*", name, Prefix)
			}
			if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)"); err != nil {
				return fmt.Errorf("drop database %s: %w", name, err)
			}
		}
		return nil
	})
}

// administer runs work on a connection of its own, so that nothing stays open
// between calls.
func (p Postgres) administer(ctx context.Context, work func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, p.URL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return work(conn)
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// withPath replaces the path of a URL: the database or the virtual host.
func withPath(address, name string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic("services: an address that was checked does not parse") // the constructors parsed it
	}
	u.Path, u.RawPath = "/"+name, ""
	return u.String()
}
