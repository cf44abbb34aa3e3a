package relay

import (
	"testing"

	"github.com/stretchr/testify/require"

	sagasql "go.example/saga/sql"
)

// A relay that is frozen in the middle of a transaction has the position's row locked.
// The database ends that transaction, so that another relay can go on.
func TestFrozenTransactionFreesThePosition(t *testing.T) {
	b := setup(t)
	got := b.consumeQueue()
	frozen, err := b.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = frozen.Rollback(t.Context()) }() // the database has ended it
	for _, statement := range []string{sagasql.Query("", "relay/bounded.sql"), `SELECT FROM public.outbox_position FOR UPDATE`} {
		_, err = frozen.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	b.insert(0, 10)
	b.start(b.config("another"))
	b.awaitFirsts(got, names(0, 10))
	b.drained()
}
