package services

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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

// Databases lists the databases that the project made: those that bear its [Mark].
func (p Postgres) Databases(ctx context.Context) ([]string, error) {
	ours, _, err := p.databases(ctx)
	return ours, err
}

// databases lists those named saga_*, the marked ones and the others.
func (p Postgres) databases(ctx context.Context) (ours, foreign []string, err error) {
	err = p.administer(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT
				coalesce(array_agg(datname::text ORDER BY datname) FILTER (WHERE marked), '{}'),
				coalesce(array_agg(datname::text ORDER BY datname) FILTER (WHERE NOT marked), '{}')
			FROM pg_database, LATERAL (SELECT shobj_description(oid, 'pg_database') IS NOT DISTINCT FROM $2 AS marked) mark
			WHERE starts_with(datname, $1)`, Prefix, Mark).Scan(&ours, &foreign)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("list the databases %s*: %w", Prefix, err)
	}
	return ours, foreign, nil
}

// CreateDatabase creates a database as a copy of template, template1 where empty,
// and marks it.
func (p Postgres) CreateDatabase(ctx context.Context, name, template string) error {
	if !strings.HasPrefix(name, Prefix) {
		return fmt.Errorf("create database %q: the project makes only databases named %s*", name, Prefix)
	}
	if template == "" {
		template = "template1"
	}
	err := p.administer(ctx, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "CREATE DATABASE "+quote(name)+" TEMPLATE "+quote(template)); err != nil {
			return err
		}
		// No transaction holds the two together: an interrupt must not come between.
		_, err := conn.Exec(context.WithoutCancel(ctx), "COMMENT ON DATABASE "+quote(name)+" IS '"+Mark+"'")
		return err
	})
	if err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	return nil
}

// DropDatabases drops databases of the project together with the sessions in them:
// for those that the caller made. One that does not bear the mark is a [Foreign]
// error; one that is not there is none.
func (p Postgres) DropDatabases(ctx context.Context, names ...string) error {
	return p.drop(ctx, names, " WITH (FORCE)")
}

// DropIdleDatabases drops databases of the project in which nobody is, and returns
// those that stay because somebody is: for those that another run made.
func (p Postgres) DropIdleDatabases(ctx context.Context, names ...string) (busy []string, err error) {
	busy, err = p.busy(ctx, names)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if slices.Contains(busy, name) {
			continue
		}
		err := p.drop(ctx, []string{name}, "")
		var reply *pgconn.PgError
		if errors.As(err, &reply) && reply.Code == objectInUse {
			busy = append(busy, name) // since a moment ago
		} else if err != nil {
			return busy, err
		}
	}
	return busy, nil
}

// objectInUse is the SQLSTATE of a drop that others' sessions prevent.
const objectInUse = "55006"

// busy returns those of the databases that have sessions.
func (p Postgres) busy(ctx context.Context, names []string) (busy []string, err error) {
	err = p.administer(ctx, func(conn *pgx.Conn) error {
		// The type of other roles' sessions is hidden from an ordinary one.
		return conn.QueryRow(ctx, `SELECT coalesce(array_agg(DISTINCT datname::text), '{}') FROM pg_stat_activity
			WHERE datname = ANY ($1) AND coalesce(backend_type, 'client backend') = 'client backend'`, names).Scan(&busy)
	})
	if err != nil {
		return nil, fmt.Errorf("ask which databases are in use: %w", err)
	}
	return busy, nil
}

func (p Postgres) drop(ctx context.Context, names []string, how string) error {
	if len(names) == 0 {
		return nil
	}
	return p.administer(ctx, func(conn *pgx.Conn) error {
		for _, name := range names {
			marked := false
			// On the same session: an address of several hosts may lead elsewhere next time.
			err := conn.QueryRow(ctx, `SELECT starts_with(datname, $2) AND shobj_description(oid, 'pg_database') IS NOT DISTINCT FROM $3
				FROM pg_database WHERE datname = $1`, name, Prefix, Mark).Scan(&marked)
			switch {
			case errors.Is(err, pgx.ErrNoRows):
				continue
			case err != nil:
				return fmt.Errorf("ask whose database %s is: %w", name, err)
			case !marked:
				return foreignDatabase(name)
			}
			if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(name)+how); err != nil {
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
