package outboxpg_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	sagasql "go.example/saga/sql"
)

// Who appends can ask whether it has left, by the transaction that wrote it.
func TestWhetherWhatWasAppendedHasLeft(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Outbox)
	expect := func(state string, unserved int, xact any) {
		t.Helper()
		var shards, without int
		var got string
		require.NoError(t, db.QueryRow(t.Context(), sagasql.Query("", "participant/left.sql"), []string{"a", "b"}, xact).Scan(&shards, &without, &got))
		require.Equal(t, state, got)
		require.Equal(t, unserved, without)
		require.GreaterOrEqual(t, shards, unserved)
	}
	do := func(query string, args ...any) {
		t.Helper()
		_, err := db.Exec(t.Context(), query, args...)
		require.NoError(t, err)
	}
	begin := func() (xact string, end func(how string)) {
		tx, err := db.Begin(t.Context())
		require.NoError(t, err)
		require.NoError(t, tx.QueryRow(t.Context(), sagasql.Query("", "participant/writer.sql")).Scan(&xact))
		return xact, func(how string) {
			_, err := tx.Exec(t.Context(), how)
			require.NoError(t, err)
			_ = tx.Rollback(t.Context())
		}
	}
	expect("left", 1, nil)
	committed, commit := begin()
	aborted, abort := begin()
	expect("open", 1, committed)
	commit("COMMIT")
	abort("ROLLBACK")
	expect("lies", 1, committed)
	expect("left", 1, aborted)
	expect("open", 1, "9000000000000000000")

	do(`UPDATE outbox_position SET holder = 'relay', lease_until = now() + interval '5 min', lease_for = '5 min'`)
	expect("lies", 0, committed)
	do(`UPDATE outbox_position SET settled = pg_current_snapshot()`)
	expect("left", 0, committed)
	do(`UPDATE outbox_position SET lease_until = now() - interval '1 second'`)
	expect("left", 1, committed)

	// Of the shards only those count to which the aggregates belong.
	do(`INSERT INTO outbox_position (shard) SELECT generate_series(1, 3)`)
	var ofA, ofB int
	require.NoError(t, db.QueryRow(t.Context(), `SELECT outbox_shard('a', 4), outbox_shard('b', 4)`).Scan(&ofA, &ofB))
	do(`UPDATE outbox_position SET settled = CASE WHEN shard IN ($1, $2) THEN pg_current_snapshot() ELSE '1:1:' END`, ofA, ofB)
	expect("left", 4, committed)
	do(`UPDATE outbox_position SET settled = CASE WHEN shard = $1 THEN '1:1:' ELSE pg_current_snapshot() END`, ofB)
	expect("lies", 4, committed)
	do(`DELETE FROM outbox_position`)
	expect("lies", 1, committed)
}
