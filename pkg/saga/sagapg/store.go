package sagapg

import (
	"context"
	"errors"
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

var errNoService = errors.New("this store has no service's name, which starting sagas and driving them needs: see sagapg.New")

// Store reads and writes the sagas of one schema.
type Store struct {
	schema, service string
	outbox          outbox.Schema
	// definitions caches what never changes: definitionKey → saga.Definition.
	definitions sync.Map
	// hashes: definitionKey → hashed.
	hashes sync.Map
}

// New makes a store of the tables in schema; empty means public. The service is the name
// that the schema was given when it was migrated: replies come to its queue, and events
// tell it. Who only reads may leave it empty. New panics on a schema that [sagasql.Up]
// does not take, and on a name that no service can have.
func New(schema, service string) *Store {
	if service != "" {
		if err := sagasql.CheckServiceName(service); err != nil {
			panic("sagapg: " + err.Error())
		}
	}
	return &Store{schema: schema, service: service, outbox: outbox.In(schema)}
}

// Schema is where the tables are.
func (s *Store) Schema() string { return s.schema }

func (s *Store) query(name string) string { return sagasql.Query(s.schema, "saga/"+name+".sql") }
