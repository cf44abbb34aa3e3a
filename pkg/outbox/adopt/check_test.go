package adopt_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox/adopt"
)

func TestMappingIsChecked(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "bytea")
	exec(t, pool, `
		ALTER TABLE shop.outboxevent
			ADD COLUMN number bigint NOT NULL DEFAULT 1, ADD COLUMN small serial, ADD COLUMN spare uuid,
			ADD COLUMN h json, ADD COLUMN due timestamp, ADD COLUMN seen timestamptz, ADD COLUMN tags text[];
		CREATE SEQUENCE shop.blocks CACHE 20;
		CREATE SEQUENCE shop.steps;
		CREATE SEQUENCE shop.strides INCREMENT 50;
		ALTER TABLE shop.outboxevent
			ADD COLUMN blockwise bigint NOT NULL DEFAULT nextval('shop.blocks'),
			ADD COLUMN strided bigint NOT NULL DEFAULT nextval('shop.strides'),
			ADD COLUMN negative bigint NOT NULL DEFAULT -nextval('shop.steps'),
			ADD COLUMN nullable bigint DEFAULT nextval('shop.steps')`)
	for want, change := range map[string]func(*adopt.Mapping){
		"table is not set":                                                             func(m *adopt.Mapping) { m.Table = "" },
		"columns.payload is not set":                                                   func(m *adopt.Mapping) { m.Columns.Payload = "" },
		"columns.aggregate_id is not set":                                              func(m *adopt.Mapping) { m.Columns.AggregateID = "" },
		`existing is "", want publish or skip`:                                         func(m *adopt.Mapping) { m.Existing = "" },
		"neither exchange nor routing_key":                                             func(m *adopt.Mapping) { m.Exchange, m.RoutingKey = "", "" },
		"begins no {column}":                                                           func(m *adopt.Mapping) { m.RoutingKey = "a.{type" },
		"there is no table public.outboxevent":                                         func(m *adopt.Mapping) { m.Table = "outboxevent" },
		`routing_key: table shop.outboxevent has no column "typo"`:                     func(m *adopt.Mapping) { m.RoutingKey = "{typo}" },
		`exchange: column "tags" is of type text[]`:                                    func(m *adopt.Mapping) { m.Exchange = "{tags}" },
		`columns.type: table shop.outboxevent has no column`:                           func(m *adopt.Mapping) { m.Columns.Type = "Type" },
		`columns.event_id: column "type" is of type character varying(255), want uuid`: func(m *adopt.Mapping) { m.Columns.EventID = "type" },
		`columns.event_id: column "spare" may hold nulls`:                              func(m *adopt.Mapping) { m.Columns.EventID = "spare" },
		`columns.payload: column "id" is of type uuid`:                                 func(m *adopt.Mapping) { m.Columns.Payload = "id" },
		`columns.headers: column "h" is of type json, want jsonb`:                      func(m *adopt.Mapping) { m.Columns.Headers = "h" },
		`columns.deliver_at: column "due" is of type timestamp`:                        func(m *adopt.Mapping) { m.Columns.DeliverAt = "due" },
		`columns.created_at: column "seen" may hold nulls`:                             func(m *adopt.Mapping) { m.Columns.CreatedAt = "seen" },
		"content_type is not set":                                                      func(m *adopt.Mapping) { m.ContentType = "" },
		`columns.id: column "small" is of type integer, want bigint`:                   func(m *adopt.Mapping) { m.Columns.ID = "small" },
		`column "number" is not the order`:                                             func(m *adopt.Mapping) { m.Columns.ID = "number" },
		`column "blockwise" is not the order`:                                          func(m *adopt.Mapping) { m.Columns.ID = "blockwise" },
		`column "strided" is not the order`:                                            func(m *adopt.Mapping) { m.Columns.ID = "strided" },
		`column "negative" is not the order`:                                           func(m *adopt.Mapping) { m.Columns.ID = "negative" },
		`columns.id: column "nullable" may hold nulls`:                                 func(m *adopt.Mapping) { m.Columns.ID = "nullable" },
	} {
		m := mapping()
		m.ContentType = "avro/binary"
		change(&m)
		_, err := adopt.Prepare(t.Context(), pool, schema, m)
		require.ErrorContains(t, err, want)
		_, err = adopt.Apply(t.Context(), pool, schema, m)
		require.ErrorContains(t, err, want)
	}
	require.Empty(t, texts(t, pool, `SELECT nspname::text FROM pg_namespace WHERE nspname = 'order'`), "nothing was done")

	_, err := adopt.Prepare(t.Context(), pool, "Wrong", mapping())
	require.ErrorContains(t, err, `schema name "Wrong"`)
}

func TestTableIsChecked(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	exec(t, pool, `
		CREATE VIEW shop.view AS SELECT * FROM shop.outboxevent;
		CREATE UNLOGGED TABLE shop.unlogged (LIKE shop.outboxevent INCLUDING ALL);
		CREATE TABLE shop.parted (LIKE shop.outboxevent) PARTITION BY HASH (id);
		CREATE TABLE shop.part PARTITION OF shop.parted FOR VALUES WITH (MODULUS 1, REMAINDER 0);
		CREATE TABLE shop.secured (LIKE shop.outboxevent INCLUDING ALL);
		ALTER TABLE shop.secured FORCE ROW LEVEL SECURITY;
		CREATE TABLE shop.wrong (LIKE shop.outboxevent INCLUDING ALL);
		ALTER TABLE shop.wrong ADD COLUMN outbox_xact xid8, ADD COLUMN outbox_id integer, ADD COLUMN outbox_created_at text`)
	for table, want := range map[string]string{
		"shop.view":     "shop.view is not a table",
		"shop.unlogged": "does not survive a crash",
		"shop.parted":   "has partitions or inherits",
		"shop.part":     "has partitions or inherits",
		"shop.secured":  "row level security",
		"shop.wrong":    `column "outbox_xact" is there, but not as`,
	} {
		m := mapping()
		m.Table = table
		_, err := adopt.Prepare(t.Context(), pool, schema, m)
		require.ErrorContains(t, err, want)
		if table == "shop.wrong" {
			require.ErrorContains(t, err, `column "outbox_id" is of type integer`)
			require.ErrorContains(t, err, `column "outbox_created_at" is of type text`)
		}
	}
}

func TestSchemaIsChecked(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t)
	exec(t, pool, `CREATE TABLE public.outbox (id uuid NOT NULL, aggregatetype text, aggregateid text, type text, payload jsonb)`)
	m := mapping()
	m.Table = "outbox"
	_, err := adopt.Prepare(t.Context(), pool, "", m)
	require.ErrorContains(t, err, "public.outbox is there and not a view: set DATABASE_SCHEMA")
	apply(t, pool, m)
}

func TestOnlyTheOwnerAdopts(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	tx := begin(t, pool)
	_, err := tx.Exec(t.Context(), `SET LOCAL ROLE pg_read_all_data`)
	require.NoError(t, err)
	_, err = adopt.PrepareIn(t.Context(), tx, schema, mapping())
	require.ErrorContains(t, err, "belongs to another role")
}

func TestNotes(t *testing.T) {
	t.Parallel()
	pool := debezium(t, "jsonb")
	write(t, pool, "a", "{}")
	exec(t, pool, `
		DELETE FROM shop.outboxevent;
		CREATE FUNCTION shop.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
		CREATE TRIGGER gone AFTER INSERT ON shop.outboxevent FOR EACH ROW EXECUTE FUNCTION shop.f();
		CREATE TRIGGER other AFTER DELETE ON shop.outboxevent FOR EACH ROW EXECUTE FUNCTION shop.f()`)
	require.Eventually(t, func() bool {
		plan, err := adopt.Prepare(t.Context(), pool, schema, mapping())
		require.NoError(t, err)
		return len(plan.Notes) == 3 && strings.Contains(plan.Notes[1], "deleted from it (1") && strings.Contains(plan.Notes[2], "(gone)")
	}, 20*time.Second, 50*time.Millisecond)
}
