package fault

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
	sagasql "go.example/saga/sql"
)

// A transaction that appends and starts quietly can be prepared for two-phase commit; one
// that announces itself cannot, which is PostgreSQL's rule.
func TestQuietTransactionsCanBePrepared(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.start()
	c.exec("postgres", `CREATE DATABASE `+clusterDatabase)
	require.NoError(t, sagasql.Up(t.Context(), c.url(clusterDatabase), "", sagasql.Outbox, sagasql.Saga))
	conn, err := pgx.Connect(t.Context(), c.url(clusterDatabase))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	_, err = sagasql.NameService(t.Context(), conn, "", "shop")
	require.NoError(t, err)
	def, err := sagayaml.Parse([]byte("name: order\nversion: 1\nsteps: [{name: stock}]"))
	require.NoError(t, err)
	store := sagapg.New("", "shop")
	_, err = store.ApplyDefinition(t.Context(), conn, def)
	require.NoError(t, err)
	prepared := func(name string, quiet bool) error {
		t.Helper()
		tx, err := conn.Begin(t.Context())
		require.NoError(t, err)
		box := outbox.In("")
		if quiet {
			box = box.Quiet()
		}
		require.NoError(t, box.Append(t.Context(), tx, outbox.Message{
			AggregateType: "order", AggregateID: name, Type: "placed", RoutingKey: "q", Payload: json.RawMessage(`{}`),
		}))
		_, _, err = store.Start(t.Context(), tx, def, sagapg.StartRequest{BusinessKey: name, Payload: jsonmap.JSONMap{}, Quiet: quiet})
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), `PREPARE TRANSACTION '`+name+`'`)
		_ = tx.Rollback(t.Context())
		return err
	}
	require.ErrorContains(t, prepared("loud", false), "NOTIFY")
	require.NoError(t, prepared("quiet", true))
	_, err = conn.Exec(t.Context(), `COMMIT PREPARED 'quiet'`)
	require.NoError(t, err)
	var messages, sagas int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM outbox), (SELECT count(*) FROM saga)`).Scan(&messages, &sagas))
	require.Equal(t, [2]int{2, 1}, [2]int{messages, sagas}, "the message, the saga and its command")
}
