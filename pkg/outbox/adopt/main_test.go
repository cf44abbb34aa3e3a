package adopt_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox/adopt"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// schema is the relay's own; its name has to be quoted.
const schema = "order"

// debezium is the table that Debezium's outbox event router wants, with a payload of
// some type.
func debezium(t *testing.T, payload string) *pgxpool.Pool {
	t.Helper()
	pool := testenv.Database(t)
	exec(t, pool, `
		CREATE SCHEMA shop;
		CREATE TABLE shop.outboxevent (
			id            uuid         NOT NULL PRIMARY KEY,
			aggregatetype varchar(255) NOT NULL,
			aggregateid   varchar(255) NOT NULL,
			type          varchar(255) NOT NULL,
			payload       `+payload+`
		)`)
	return pool
}

// mapping is the one for debezium.
func mapping() adopt.Mapping {
	return adopt.Mapping{
		Table:    "shop.outboxevent",
		Existing: adopt.ExistingPublish,
		Columns: adopt.Columns{
			EventID: "id", AggregateType: "aggregatetype", AggregateID: "aggregateid", Type: "type", Payload: "payload",
		},
		Exchange:   "events",
		RoutingKey: "{aggregatetype}.{type}",
	}
}

// write is what a writer that knows nothing of the relay does.
func write(t *testing.T, pool *pgxpool.Pool, aggregate, payload string) {
	t.Helper()
	exec(t, pool, `INSERT INTO shop.outboxevent (id, aggregatetype, aggregateid, type, payload)
		VALUES (gen_random_uuid(), 'Order', '`+aggregate+`', 'placed', '`+payload+`')`)
}

func exec(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	_, err := pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func apply(t *testing.T, pool *pgxpool.Pool, m adopt.Mapping) adopt.Plan {
	t.Helper()
	plan, err := adopt.Apply(t.Context(), pool, schema, m)
	require.NoError(t, err)
	return plan
}

// row is what the relay reads of a message, into the types that it reads it into.
type row struct {
	ID                                           int64
	EventID                                      [16]byte
	AggregateType, AggregateID, Type             string
	Exchange, RoutingKey, CorrelationID, ReplyTo string
	ContentType, Headers                         string
	Payload, PayloadBytes                        []byte
	CreatedAt, DeliverAt                         any
}

// read reads the log's first window with the relay's own statements.
func read(t *testing.T, pool *pgxpool.Pool) []row {
	t.Helper()
	var present, ends string
	var first, last int64
	var sparse bool
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT "order".outbox_present()`).Scan(&present))
	require.NoError(t, pool.QueryRow(t.Context(), sagasql.Query(schema, "relay/window.sql"), present, "1:1:", "", 0).
		Scan(&ends, &first, &last, &sparse))
	rows, err := pool.Query(t.Context(), sagasql.Query(schema, "relay/page.sql"), present, "1:1:", ends, 0, last, 1000, 0, 1)
	require.NoError(t, err)
	page, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	require.NoError(t, err)
	return page
}

// texts reads one column of texts.
func texts(t *testing.T, pool *pgxpool.Pool, sql string) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), sql)
	require.NoError(t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return found
}

func begin(t *testing.T, pool *pgxpool.Pool) pgx.Tx {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	return tx
}

// restore makes the position look as if a dump had brought it.
func restore(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	exec(t, pool, `BEGIN; SET LOCAL session_replication_role = replica; -- as pg_restore does, without triggers
		UPDATE "order".outbox_position SET written_by = '7', written_in = 42; COMMIT`)
}
