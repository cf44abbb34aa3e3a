package sagasql_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

// Each query for people is one statement that runs as it stands, in the database
// that its first comment names.
func TestInspectQueriesRun(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Outbox, sagasql.Saga, sagasql.Inbox, sagasql.Participant,
		sagasql.Reservation, sagasql.Hotel, sagasql.Payment)
	files, err := filepath.Glob("inspect/*.sql")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 10)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(text), "-- "), "%s: says first what it shows", file)
		require.Regexp(t, `(?i)database`, strings.SplitN(string(text), "SELECT", 2)[0], file)
		rows, err := db.Query(context.Background(), string(text))
		require.NoError(t, err, file)
		rows.Close()
		require.NoError(t, rows.Err(), file)
	}
}
