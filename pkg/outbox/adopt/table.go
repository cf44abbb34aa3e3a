package adopt

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	sagasql "go.example/saga/sql"
)

// table is the table to adopt, as it stands.
type table struct {
	schema, name string
	oid          uint32
	kind         string // pg_class.relkind
	persistence  string // pg_class.relpersistence
	inherits     bool
	rowSecurity  bool // even for its owner
	owned        bool // by a role that this one may act as
	size         string
	deleted      int64
	triggers     []string // those on INSERT
	stamped      bool     // by the trigger that sets the inserting transaction
	columns      map[string]column
}

// column is one of its columns.
type column struct {
	Name        string
	Type        string // for people
	Kind        string // uuid, jsonb, json, bytea, timestamptz, int8, xid8, text, number, enum; empty for others
	NotNull     bool
	Default     string
	Orderly     bool // filled by a sequence whose numbers rise as they are drawn
	Unique      bool // by an index of its own
	XactIndexed bool // with the order of insertion in the index
}

func (t table) String() string { return t.schema + "." + t.name }

// readTable looks the mapping's table up.
func readTable(ctx context.Context, tx pgx.Tx, m Mapping) (table, error) {
	var t table
	t.schema, t.name = m.tableName()
	row := tx.QueryRow(ctx, sagasql.Query("", "adopt/table.sql"), t.schema, t.name)
	err := row.Scan(&t.oid, &t.kind, &t.persistence, &t.inherits, &t.rowSecurity, &t.owned, &t.size, &t.deleted, &t.triggers, &t.stamped)
	if errors.Is(err, pgx.ErrNoRows) {
		return table{}, fmt.Errorf("there is no table %s", t)
	}
	if err != nil {
		return table{}, fmt.Errorf("look for table %s: %w", t, err)
	}
	rows, err := tx.Query(ctx, sagasql.Query("", "adopt/columns.sql"), t.oid, m.orderColumn())
	if err != nil {
		return table{}, fmt.Errorf("read the columns of table %s: %w", t, err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
	if err != nil {
		return table{}, fmt.Errorf("read the columns of table %s: %w", t, err)
	}
	t.columns = make(map[string]column, len(columns))
	for _, c := range columns {
		t.columns[c.Name] = c
	}
	return t, nil
}

// standing is what the relay's schema holds already.
type standing struct {
	schemaExists bool
	kind         string // of the relation outbox: pg_class.relkind, empty for none
	comment      string
	table        uint32 // under the view
	relayTables  bool
}

func readStanding(ctx context.Context, tx pgx.Tx, schema string) (standing, error) {
	var s standing
	row := tx.QueryRow(ctx, sagasql.Query(schema, "adopt/standing.sql"), schemaName(schema))
	if err := row.Scan(&s.schemaExists, &s.kind, &s.comment, &s.table, &s.relayTables); err != nil {
		return standing{}, fmt.Errorf("look into schema %s: %w", schemaName(schema), err)
	}
	return s, nil
}

func schemaName(schema string) string {
	if schema == "" {
		return "public"
	}
	return schema
}
