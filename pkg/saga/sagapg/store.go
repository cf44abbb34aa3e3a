package sagapg

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"go.example/saga/pkg/outbox"
	sagasql "go.example/saga/sql"
)

// DB runs statements: a pool, a connection or a transaction of pgx.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Store reads and writes the sagas of one schema.
type Store struct {
	schema string
	outbox outbox.Schema
	// definitions caches what never changes: definitionKey → saga.Definition.
	definitions sync.Map
	// hashes: definitionKey → hashed.
	hashes sync.Map
}

// New makes a store of the tables in schema; empty means public. It panics on a
// name that [sagasql.Up] does not take.
func New(schema string) *Store {
	return &Store{schema: schema, outbox: outbox.In(schema)}
}

func (s *Store) query(name string) string { return sagasql.Query(s.schema, "saga/"+name+".sql") }
