package testenv

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// What tests need it for: two clients have the same session.
func TestPgBouncerSharesSessions(t *testing.T) {
	t.Parallel()
	pool := Database(t)
	url := PgBouncer(t, pool)
	var sessions []int
	for range 2 {
		client, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		t.Cleanup(func() { _ = client.Close(context.Background()) })
		var session int
		var database string
		require.NoError(t, client.QueryRow(t.Context(), `SELECT pg_backend_pid(), current_database()`,
			pgx.QueryExecModeSimpleProtocol).Scan(&session, &database))
		require.Equal(t, pool.Config().ConnConfig.Database, database)
		sessions = append(sessions, session)
	}
	require.Equal(t, sessions[0], sessions[1])
}
