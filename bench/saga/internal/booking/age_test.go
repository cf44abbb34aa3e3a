package booking_test

import (
	"context"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/bench/internal/lab"
	"go.example/saga/bench/saga/internal/booking"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// Sagas that ended long ago are there by the thousand, in all three tables, and
// nothing of them is left to do.
func TestSagasAreCopied(t *testing.T) {
	t.Parallel()
	l, err := lab.Open(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	databases, err := booking.Make(t.Context(), l.Database)
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), databases.Reservation)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	finish(t, conn, 5)

	const count = 3000
	require.NoError(t, databases.Age(t.Context(), count))
	var sagas, running, history, messages, keys int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT
		(SELECT count(*) FROM saga_overview WHERE status = 'KILLED'),
		(SELECT count(*) FROM saga WHERE look_at IS NOT NULL),
		(SELECT count(*) FROM saga_history AS h JOIN saga AS s ON s.id = h.saga_id),
		(SELECT count(*) FROM outbox_overview WHERE state = 'published'),
		(SELECT count(DISTINCT aggregate_id) FROM outbox)`).Scan(&sagas, &running, &history, &messages, &keys))
	_, err = conn.Exec(t.Context(), `UPDATE saga SET version = 0`)
	require.ErrorContains(t, err, "saga_version_positive", "rows are checked again")
	// The copies pass the checks.
	for _, statement := range []string{
		`UPDATE saga SET id = id`,
		`UPDATE outbox SET type = type`,
		`CREATE TEMPORARY TABLE copies AS SELECT * FROM saga_history`,
		`DELETE FROM saga_history`,
		`INSERT INTO saga_history SELECT * FROM copies`,
	} {
		_, err := conn.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	require.Equal(t, []int{count, 0, 2 * count, 2 * count, count}, []int{sagas, running, history, messages, keys})
}

// finish starts sagas and kills them.
func finish(t *testing.T, conn *pgx.Conn, sagas int) {
	t.Helper()
	text, err := os.ReadFile("../../../../deploy/room-reservation.yaml")
	require.NoError(t, err)
	def, err := sagayaml.Parse(text)
	require.NoError(t, err)
	store := sagapg.New("", "reservation")
	_, err = store.ApplyDefinition(t.Context(), conn, def)
	require.NoError(t, err)
	require.NoError(t, pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		ids := make([]saga.ID, sagas)
		for i := range ids {
			ids[i], _, err = store.Start(t.Context(), tx, def, sagapg.StartRequest{BusinessKey: uuid.NewString()})
			require.NoError(t, err)
		}
		loaded, now, err := store.Load(t.Context(), tx, ids)
		require.NoError(t, err)
		var changes []sagapg.Change
		for _, l := range loaded {
			changes = append(changes, sagapg.Change{saga.Step(def, l.State, saga.Action{Verb: saga.Kill, Who: "test", Reason: "over"}, now)})
		}
		return store.Save(t.Context(), tx, changes)
	}))
}
