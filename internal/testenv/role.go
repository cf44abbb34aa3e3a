package testenv

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	sagasql "go.example/saga/sql"
)

// rolePoolSize is how many connections a role's pool may take.
const rolePoolSize = 3

// Role is a pool of a fresh role on the database that db leads to, after db has run the
// statements, in which {role} stands for the role's name. The role may log in, and has no
// other right than those that everybody has. It is dropped when the test ends.
func Role(t testing.TB, db *pgxpool.Pool, statements ...string) *pgxpool.Pool {
	t.Helper()
	Connections(t, rolePoolSize)
	sweepRoles(t, db)
	name := newName()
	AsRole(t, db, name, append([]string{"CREATE ROLE {role} LOGIN"}, statements...)...)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), adminTime)
		defer cancel()
		for _, statement := range []string{"DROP OWNED BY {role}", "DROP ROLE {role}"} {
			if _, err := db.Exec(ctx, named(statement, name)); err != nil {
				t.Errorf("%s: %v", statement, err)
			}
		}
	})
	config := db.Config().Copy()
	config.ConnConfig.User, config.MaxConns = name, rolePoolSize
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatalf("connect as role %s: %v", name, err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// AsRole has db run the statements, in which {role} stands for the role's name.
func AsRole(t testing.TB, db *pgxpool.Pool, role string, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.Exec(t.Context(), named(statement, role)); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// Grants are the statements that give a role the rights and nothing else. Functions may
// be called by everybody as long as nobody says otherwise.
func Grants(rights ...sagasql.Right) []string {
	var grants []string
	for _, right := range rights {
		if right.Privileges != "EXECUTE" {
			grants = append(grants, "GRANT "+right.Privileges+" ON "+right.On+" TO {role}")
		}
	}
	return grants
}

func named(statement, role string) string {
	return strings.ReplaceAll(statement, "{role}", pgx.Identifier{role}.Sanitize())
}

var rolesSwept sync.Once

// sweepRoles drops the roles that a killed run left behind. One whose database is still
// there stays for a later run.
func sweepRoles(t testing.TB, db *pgxpool.Pool) {
	rolesSwept.Do(func() {
		rows, _ := db.Query(t.Context(), `SELECT rolname::text FROM pg_roles WHERE starts_with(rolname, $1)`, prefix)
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("look for roles of earlier tests: %v", err)
		}
		for _, name := range stale(names, time.Now()) {
			_, _ = db.Exec(t.Context(), named("DROP ROLE {role}", name))
		}
	})
}
