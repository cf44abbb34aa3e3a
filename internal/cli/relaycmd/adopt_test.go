package relaycmd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/testenv"
)

const adoptConfig = `
database_schema: relay
adopt:
  table: shop.outboxevent
  existing: publish
  columns: {event_id: id, aggregate_type: aggregatetype, aggregate_id: aggregateid, type: type, payload: payload}
  exchange: events
  routing_key: "{aggregatetype}.{type}"
`

func TestAdopt(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t)
	file := configFile(t, "database_urls: "+pool.Config().ConnString()+adoptConfig)
	code, _, errs := command(t, t.Context(), file, "adopt")
	require.Equal(t, cli.ExitFailed, code)
	require.Contains(t, errs, "there is no table shop.outboxevent")

	_, err := pool.Exec(t.Context(), `CREATE SCHEMA shop; CREATE TABLE shop.outboxevent (id uuid PRIMARY KEY,
		aggregatetype varchar(255), aggregateid varchar(255), type varchar(255), payload jsonb);
		INSERT INTO shop.outboxevent VALUES (gen_random_uuid(), 'Order', '1', 'placed', '{}')`)
	require.NoError(t, err)
	for range 2 {
		code, out, errs := command(t, t.Context(), file, "adopt")
		require.Equal(t, cli.ExitOK, code, errs)
		require.Contains(t, out, `ALTER TABLE "shop"."outboxevent" ADD COLUMN outbox_id`)
		require.Contains(t, out, "rewrites the table")
		require.Contains(t, out, `CREATE OR REPLACE VIEW "relay".outbox`)
		require.Contains(t, errs, "nothing was changed")
	}
	code, out, errs := command(t, t.Context(), file, "adopt", "--yes")
	require.Equal(t, cli.ExitOK, code, errs)
	require.Contains(t, out, "CREATE OR REPLACE VIEW")
	require.Empty(t, errs)
	code, out, errs = command(t, t.Context(), file, "adopt")
	require.Equal(t, cli.ExitOK, code, errs)
	require.Contains(t, out, "nothing to do")
	require.Empty(t, errs)
	var state string
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT state FROM relay.outbox_overview`).Scan(&state))
	require.Equal(t, "pending", state)
}

func TestAdoptWantsAMapping(t *testing.T) {
	t.Parallel()
	code, _, errs := command(t, t.Context(), configFile(t, "database_urls: postgres://a@b/c"), "adopt")
	require.Equal(t, cli.ExitUsage, code)
	require.Contains(t, errs, "adopt: table is not set")
	code, _, errs = command(t, t.Context(), configFile(t, "database_urls: postgres://a@b/c\nadopt: {tabel: x}"), "adopt")
	require.Equal(t, cli.ExitUsage, code)
	require.Contains(t, errs, "tabel")
}
