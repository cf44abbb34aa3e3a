package sagapg_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// send starts a saga beside a row of the caller's, in a batch.
func (b *bench) send(def saga.Definition, r sagapg.StartRequest) (saga.ID, error) {
	b.Helper()
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO reservation VALUES ($1)`, r.BusinessKey)
	ids, err := b.store.Queue(b.ctx, batch, def, r)
	require.NoError(b, err)
	return ids[0], b.db.SendBatch(b.ctx, batch).Close()
}

func TestABatchIsOneTransaction(t *testing.T) {
	b := setup(t)
	b.exec(`CREATE TABLE reservation (key text)`)
	drawn := saga.ID(uuid.Must(uuid.NewV7()))
	r := request("K-1")
	r.ID = drawn
	id, err := b.send(b.def, r)
	require.NoError(t, err)
	require.Equal(t, drawn, id)
	require.Equal(t, saga.StatusStarted, b.load(id).Status)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM outbox WHERE aggregate_id = $1`, uuid.UUID(id).String()))

	missing := plan()
	missing.Version = 2
	other := plan()
	other.Steps[1].Destination = "elsewhere"
	for constraint, c := range map[string]struct {
		def saga.Definition
		key string
	}{
		"saga_business_key_unique": {b.def, "K-1"},
		"saga_definition_stored":   {missing, "K-2"},
	} {
		_, err := b.send(c.def, request(c.key))
		var refused *pgconn.PgError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, constraint, refused.ConstraintName)
	}
	batch := &pgx.Batch{}
	_, err = b.store.Queue(b.ctx, batch, b.def, request("K-4"), request("K-1"))
	require.NoError(t, err)
	require.ErrorContains(t, b.db.SendBatch(b.ctx, batch).Close(), "the same business key")
	_, err = b.send(other, request("K-3"))
	require.ErrorContains(t, err, "is another one")
	require.Equal(t, 1, b.count(`SELECT count(*) FROM reservation`), "nothing of a refused batch stays")
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM outbox`))
}

// The core decides a start without a clock, and the statement adds the database's: every
// time of the row is the one that the core would have given it.
func TestTimesOfAStart(t *testing.T) {
	b := setup(t)
	def := plan()
	def.Version, def.Deadline = 2, time.Hour
	def.Steps[0].Group, def.Steps[1].Group = "both", "both"
	def.Steps[1].Request.Timeout = 1234567 * time.Microsecond
	b.follow(def)
	id := b.start("K-1")
	got := b.load(id)
	require.WithinDuration(t, time.Now(), got.StartedAt, time.Minute)
	want, err := saga.Start(def, saga.StartParams{ID: id, BusinessKey: "K-1", Payload: got.Payload}, got.StartedAt)
	require.NoError(t, err)
	const rounded = 2 * time.Microsecond
	require.WithinDuration(t, want.Next.Deadline, got.Deadline, rounded)
	for i, step := range want.Next.Steps {
		require.Equal(t, step.Operation(), got.Steps[i].Operation())
		require.WithinDuration(t, step.WakeAt, got.Steps[i].WakeAt, rounded, step.Name)
	}
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga s JOIN saga_history h ON h.saga_id = s.id
		WHERE s.id = $1 AND s.updated_at = s.started_at AND h.at = s.started_at
		  AND s.wake_at = (SELECT min((w.value ->> 'wake_at')::timestamptz) FROM jsonb_each(s.waiting) w)
		  AND abs(extract(epoch FROM s.look_at - s.started_at - (s.wake_at - s.started_at) / 2)) < 0.00001`, uuid.UUID(id)))
}

func TestManyStartsAreOneStatement(t *testing.T) {
	b := setup(t)
	batch := &pgx.Batch{}
	ids, err := b.store.Queue(b.ctx, batch, b.def, request("K-1"), request("K-2"), request(""))
	require.NoError(t, err)
	require.Equal(t, 1, batch.Len())
	require.NoError(t, b.db.SendBatch(b.ctx, batch).Close())
	require.Len(t, ids, 3)
	for i, key := range []string{"K-1", "K-2", ""} {
		state := b.load(ids[i])
		require.Equal(t, key, state.BusinessKey)
		require.Equal(t, saga.StatusStarted, state.Status)
		require.Equal(t, 1, b.count(`SELECT count(*) FROM outbox o JOIN saga_history h ON h.saga_id::text = o.aggregate_id
			WHERE o.aggregate_id = $1 AND h.sent = '{REQUEST room-booking #1}'`, uuid.UUID(ids[i]).String()))
	}
}
