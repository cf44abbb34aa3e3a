package orchestrator

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// clockBack leaves the rows as they are once the database's clock has gone back so far.
func (b *bench) clockBack(by string) {
	b.exec(`UPDATE saga SET started_at = started_at + $1::interval, updated_at = updated_at + $1::interval,
		wake_at = wake_at + $1::interval, look_at = look_at + $1::interval, deadline = deadline + $1::interval,
		waiting = (SELECT coalesce(jsonb_object_agg(w.key, CASE WHEN w.value ? 'wake_at'
			THEN w.value || jsonb_build_object('wake_at', (w.value ->> 'wake_at')::timestamptz + $1::interval)
			ELSE w.value END), '{}') FROM jsonb_each(waiting) AS w) WHERE ended_at IS NULL`, by)
}

// late counts the sagas that a wait of this length would keep for longer, counted from now.
func (b *bench) late(longest string) int {
	return b.count(`SELECT count(*) FROM saga, jsonb_each(waiting) AS w
		WHERE (w.value ->> 'wake_at')::timestamptz > clock_timestamp() + $1::interval
		   OR wake_at > clock_timestamp() + $1::interval OR look_at > clock_timestamp() + $1::interval
		   OR updated_at > clock_timestamp() OR deadline > clock_timestamp() + interval '2 hours'`, longest)
}

// After the clock has gone back an hour a timer fires when its own wait is over, and not
// an hour late; what waits for longer waits no longer than it was meant to.
func TestNoWaitOutlastsItsLengthWhenTheClockGoesBack(t *testing.T) {
	b := setup(t)
	b.start(recountedAtOnce + 200)
	soonDue := b.start(1)[0]
	b.exec(`UPDATE saga SET sent_xact = NULL, wake_at = now() + interval '300 milliseconds', look_at = now(), waiting = jsonb_set(waiting, '{hotel,wake_at}',
		to_jsonb(now() + interval '300 milliseconds')) WHERE id = $1`, uuid.UUID(soonDue))
	b.exec(`UPDATE saga SET deadline = now() + interval '2 hours'`)
	b.clockBack("1 hour")
	require.Equal(t, recountedAtOnce+201, b.late("2 hours"))
	e := b.engine()
	stop := b.run(e)
	defer stop()
	require.Eventually(t, func() bool { return b.attempts(2) == 1 }, soon, tick)
	require.Eventually(t, func() bool { return b.late("2 hours") == 0 }, soon, tick)
	require.Equal(t, int64(recountedAtOnce+201), e.Recounted())
	b.sound()
}

// A reply that comes before the sweep has looked: the step beside it waits no longer.
func TestAReplyCountsTheWaitsBesideItAnew(t *testing.T) {
	b := setup(t)
	def := plan()
	def.Name, def.Deadline = "tour", 2*time.Hour
	def.Steps[0].Group, def.Steps[1].Group = "both", "both"
	_, err := b.store.ApplyDefinition(b.ctx, b.db, def)
	require.NoError(t, err)
	var id saga.ID
	require.NoError(t, pgx.BeginFunc(b.ctx, b.db, func(tx pgx.Tx) error {
		id, _, err = b.store.Start(b.ctx, tx, def, sagapg.StartRequest{})
		return err
	}))
	b.clockBack("1 hour")
	require.Empty(t, b.handle(b.answer(id, "hotel", saga.Request, saga.OutcomeSucceeded)))
	require.Equal(t, "STARTED REQUEST flight 1", b.status(id))
	require.Zero(t, b.late("2 hours"))
	b.sound()
}

// What is parked, paused or over is not looked at by its timer, and stays as it is.
func TestClockThatGoesBackLeavesTheRestAlone(t *testing.T) {
	b := setup(t)
	b.start(1)
	b.finished(1, -1) // in an hour
	b.exec(`UPDATE saga SET paused = true, wake_at = NULL, look_at = 'infinity' WHERE ended_at IS NULL`)
	b.clockBack("1 hour")
	require.NoError(t, b.sweeper().recount(b.ctx))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE paused AND look_at = 'infinity' AND wake_at IS NULL`))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE updated_at > now() AND ended_at > now()`))
}

// A saga that is being written just now is passed over; the others' waits are counted.
func TestCountingAnewPassesOverTheLocked(t *testing.T) {
	b := setup(t)
	ids := b.start(2)
	b.clockBack("1 hour")
	tx, err := b.db.Begin(b.ctx)
	require.NoError(t, err)
	_, err = tx.Exec(b.ctx, `SELECT FROM saga WHERE id = $1 FOR UPDATE`, uuid.UUID(ids[0]))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	require.NoError(t, b.sweeper().recount(ctx))
	require.Equal(t, 1, b.late("2 hours"))
	require.NoError(t, tx.Rollback(b.ctx))
	require.NoError(t, b.sweeper().recount(ctx))
	require.Zero(t, b.late("2 hours"))
}
