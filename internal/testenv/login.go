package testenv

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Login makes a role that may log in and nothing else, for the time of the test, and a pool
// of the same database in its name, whose Config().ConnString() is its URL.
func Login(t testing.TB, pool *pgxpool.Pool) (name string, as *pgxpool.Pool) {
	t.Helper()
	name = newName()
	const password = "test"
	administer := func(statements ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), adminTime)
		defer cancel()
		for _, s := range statements {
			if _, err := pool.Exec(ctx, strings.ReplaceAll(s, "$role", pgx.Identifier{name}.Sanitize())); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	administer(`CREATE ROLE $role LOGIN PASSWORD '` + password + `'`)
	t.Cleanup(func() {
		administer(`REASSIGN OWNED BY $role TO CURRENT_USER`, `DROP OWNED BY $role`, `DROP ROLE $role`)
	})
	address, err := url.Parse(pool.Config().ConnString())
	if err != nil {
		t.Fatalf("the test database's address: %v", err)
	}
	address.User = url.UserPassword(name, password)
	config, err := pgxpool.ParseConfig(address.String())
	if err != nil {
		t.Fatalf("the test role's address: %v", err)
	}
	config.MaxConns = pool.Config().MaxConns
	as, err = pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatalf("connect as the test's role: %v", err)
	}
	t.Cleanup(as.Close)
	return name, as
}
