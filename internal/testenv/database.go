package testenv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"go.example/saga/internal/dev/services"
	sagasql "go.example/saga/sql"
)

// poolSize is how many connections a test's own statements may take.
const poolSize = 6

// Service is whose the tables of a [Database] are.
const Service = "trips"

// Database is a fresh database with the migration lines applied. When the test ends, so do
// all sessions in it; it is dropped some time later. The pool's Config().ConnString() is
// its URL.
func Database(t testing.TB, lines ...sagasql.Line) *pgxpool.Pool {
	t.Helper()
	server := servers(t).Postgres
	if err := room.database(t, server.URL); err != nil {
		t.Fatalf("wait for room for a test database: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), adminTime)
	defer cancel()
	template, err := templates.of(ctx, server, lines)
	if err != nil {
		t.Fatalf("migrate a template database: %v", err)
	}
	name := newName()
	if err := server.CreateDatabase(ctx, name, template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(t, server, name) })
	config, err := pgxpool.ParseConfig(server.Database(name))
	if err != nil {
		t.Fatalf("the test database's address: %v", err)
	}
	config.MaxConns = poolSize
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		t.Fatalf("connect to the test database: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Owner is that service, with its mark of queues.
var Owner = sagasql.Service{Name: Service, ID: uuid.MustParse("0198a3f0-0000-7000-8000-0000000000aa")}

// DatabaseOf is a [Database] whose tables are a service's of that name, with a mark of its own.
func DatabaseOf(t testing.TB, service string, lines ...sagasql.Line) *pgxpool.Pool {
	t.Helper()
	pool := Database(t, lines...)
	if _, err := pool.Exec(context.Background(), `UPDATE public.saga_service SET name = $1, id = gen_random_uuid()`, service); err != nil {
		t.Fatalf("name the service of a test database: %v", err)
	}
	return pool
}

func leave(t testing.TB, server services.Postgres, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), adminTime)
	defer cancel()
	if err := spent.add(ctx, server, name); err != nil {
		t.Errorf("leave the test database: %v", err)
	}
}

// templates are the migrated databases that the tests' databases are copies of:
// one for each set of lines, so that migrations run once a process.
var templates = templateCache{byLines: map[string]*template{}}

type templateCache struct {
	mu      sync.Mutex
	swept   bool
	byLines map[string]*template
}

type template struct {
	make func() error // once
	name string
}

// of returns the template for the lines. Sets that differ are made in parallel.
func (c *templateCache) of(ctx context.Context, server services.Postgres, lines []sagasql.Line) (string, error) {
	key := fmt.Sprint(lines)
	c.mu.Lock()
	if !c.swept {
		c.swept = true
		if err := sweepDatabases(ctx, server); err != nil {
			c.mu.Unlock()
			return "", err
		}
	}
	made, known := c.byLines[key]
	if !known {
		made = &template{name: newName()}
		lines := slices.Clone(lines)
		made.make = sync.OnceValue(func() error { return migrate(server, made.name, lines) })
		c.byLines[key] = made
	}
	c.mu.Unlock()
	return made.name, made.make()
}

func migrate(server services.Postgres, name string, lines []sagasql.Line) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminTime)
	defer cancel()
	if err := server.CreateDatabase(ctx, name, ""); err != nil {
		return err
	}
	if err := sagasql.Up(ctx, server.Database(name), "", lines...); err != nil || !slices.ContainsFunc(lines, isOwned) {
		return err
	}
	conn, err := pgx.Connect(ctx, server.Database(name))
	if err != nil {
		return err
	}
	return errors.Join(Own(ctx, conn), conn.Close(ctx))
}

// isOwned says whether a line's tables have an owner.
func isOwned(line sagasql.Line) bool {
	return line == sagasql.Saga || line == sagasql.Inbox || line == sagasql.Participant
}

// Own makes the tables of a database the Owner's.
func Own(ctx context.Context, db sagasql.Writer) error {
	_, err := db.Exec(ctx, `INSERT INTO public.saga_service (name, id) VALUES ($1, $2)`, Owner.Name, Owner.ID)
	return err
}

func sweepDatabases(ctx context.Context, server services.Postgres) error {
	names, err := server.Databases(ctx)
	if err != nil {
		return err
	}
	_, err = server.DropIdleDatabases(ctx, stale(names, time.Now())...)
	return err
}

// drop drops the templates at the end of the process.
func (c *templateCache) drop(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for _, made := range c.byLines {
		names = append(names, made.name)
	}
	if names == nil {
		return nil
	}
	set, err := located()
	if err != nil {
		return err
	}
	return set.Postgres.DropDatabases(ctx, names...)
}
