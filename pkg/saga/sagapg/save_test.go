package sagapg_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

func TestAWholeSaga(t *testing.T) {
	b := setup(t)
	id := b.start("K-1")
	b.step(id, booked(jsonmap.JSONMap{"bookingId": json.Number("9007199254740993")}))
	b.step(id, paid())

	end := b.load(id)
	require.Equal(t, saga.StatusCompleted, end.Status)
	require.False(t, end.EndedAt.IsZero())
	require.Equal(t, json.Number("9007199254740993"), end.Outputs["room-booking"].(map[string]any)["bookingId"])
	require.Equal(t, 1, b.count(`SELECT count(*) FROM outbox WHERE routing_key = 'payment'
		AND payload #>> '{outputs,room-booking,bookingId}' = '9007199254740993'`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM outbox WHERE exchange = 'saga.events' AND routing_key = 'trips.room-reservation.completed'`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE step_status = '{"room-booking": "SUCCEEDED", "payment": "SUCCEEDED"}'`))
}

func TestSeveralEventsInOneBatch(t *testing.T) {
	b := setup(t)
	id := b.start("K-1")
	b.step(id, booked(nil), booked(nil), declined(), released())
	require.Equal(t, saga.StatusAborted, b.load(id).Status)
	require.Equal(t, 5, b.count(`SELECT count(*) FROM saga_history WHERE saga_id = $1`, uuid.UUID(id)))
	require.Equal(t, saga.FailureRefused, b.load(id).Failure.Class)
}

// What was read before somebody else saved must not be written.
func TestVersionConflict(t *testing.T) {
	b := setup(t)
	id, other := b.start("K-1"), b.start("K-2")
	stale := b.load(id)
	b.step(id, booked(nil))

	err := b.tx(func(tx pgx.Tx) error {
		change := sagapg.Change{saga.Step(b.def, stale, booked(nil), time.Now())}
		fine := sagapg.Change{saga.Step(b.def, b.load(other), booked(nil), time.Now())}
		return b.store.Save(b.ctx, tx, []sagapg.Change{fine, change})
	})
	require.ErrorIs(t, err, sagapg.ErrConflict)
	require.ErrorContains(t, err, uuid.UUID(id).String())
	require.EqualValues(t, 2, b.load(id).Version)
	require.EqualValues(t, 1, b.load(other).Version, "the batch is rolled back as a whole")
}

func TestSagaTwiceInOneBatchIsRefused(t *testing.T) {
	b := setup(t)
	id := b.start("K-1")
	err := b.tx(func(tx pgx.Tx) error {
		change := sagapg.Change{saga.Step(b.def, b.load(id), booked(nil), time.Now())}
		return b.store.Save(b.ctx, tx, []sagapg.Change{change, change})
	})
	require.ErrorIs(t, err, sagapg.ErrConflict)
}

// The version counts on beyond the bounds of the small integers.
func TestVersionDoesNotOverflow(t *testing.T) {
	for _, version := range []int64{127, 32767, 1<<31 - 1} {
		t.Run(strconv.FormatInt(version, 10), func(t *testing.T) {
			b := setup(t)
			id := b.start("K-1")
			b.exec(`UPDATE saga SET version = $1 WHERE id = $2`, version, uuid.UUID(id))
			b.step(id, booked(nil), paid())
			require.Equal(t, version+2, b.load(id).Version)
			require.Equal(t, saga.StatusCompleted, b.load(id).Status)
			require.Equal(t, 1, b.count(`SELECT count(*) FROM saga_history WHERE saga_id = $1 AND seq = $2`, uuid.UUID(id), version+2))
		})
	}
}

// A row that does not fit its plan is named, and read by nobody.
func TestRowThatDoesNotFitItsPlan(t *testing.T) {
	for _, column := range []string{
		`step_status = '{"ghost": "STARTED"}'`, `waiting = '{"ghost": {"operation": "REQUEST"}}'`, `waiting = '{"payment": {"attempt": "two"}}'`,
	} {
		t.Run(column, func(t *testing.T) {
			b := setup(t)
			id := b.start("K-1")
			b.exec(`UPDATE saga SET `+column+` WHERE id = $1`, uuid.UUID(id))
			err := b.tx(func(tx pgx.Tx) error {
				_, _, err := b.store.Load(b.ctx, tx, []saga.ID{id})
				return err
			})
			var wrong *sagapg.SagaError
			require.ErrorAs(t, err, &wrong)
			require.Equal(t, id, wrong.ID)
		})
	}
}
