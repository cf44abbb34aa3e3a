package relaycmd

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

// The whole relay behind PgBouncer in transaction mode, which needs no settings for it, also
// where the entry names a schema.
func TestRunBehindATransactionPooler(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{"public", "hotel"} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			runBehindATransactionPooler(t, schema)
		})
	}
}

func runBehindATransactionPooler(t *testing.T, schema string) {
	pool := testenv.Database(t)
	require.NoError(t, sagasql.Up(t.Context(), pool.Config().ConnString(), schema, sagasql.Outbox))
	broker := testenv.Vhost(t)
	url := func(context.Context) (string, error) { return broker, nil }
	require.NoError(t, rabbit.Declare(t.Context(), rabbit.Config{URL: url}, rabbit.EventTopology(testenv.Owner, "q")))
	file := configFile(t, "database_urls: "+testenv.PgBouncer(t, pool)+"&schema="+schema+"\namqp_url: "+broker+"\nlog_level: error\nrelay_lease: 2s\nrelay_shards: 3\n")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		code, _, _ := command(t, ctx, file, "run")
		ended <- code
	}()
	_, err := pool.Exec(t.Context(), `INSERT INTO `+schema+`.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		SELECT 'a', i::text, 't', '', CASE WHEN i = 7 THEN 'nowhere' ELSE 'q' END, '{}' FROM generate_series(1, 200) AS i`)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		var pending, parked int
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT (SELECT sum(pending) FROM `+schema+`.outbox_lag),
			(SELECT count(*) FROM `+schema+`.outbox_parked WHERE state = 'retry')`).Scan(&pending, &parked))
		return pending == 0 && parked == 1
	}, 20*time.Second, 20*time.Millisecond)
	cancel()
	require.Equal(t, cli.ExitOK, <-ended)
}
