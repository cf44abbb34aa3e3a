package sagapg_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// due fires what is due, and returns it.
func (b *bench) due(limit int, except ...saga.ID) (ids []saga.ID) {
	b.Helper()
	require.NoError(b, b.tx(func(tx pgx.Tx) error {
		loaded, now, err := b.store.Due(b.ctx, tx, limit, except, &sagapg.Published{})
		if err != nil {
			return err
		}
		var changes []sagapg.Change
		for _, l := range loaded {
			ids = append(ids, l.State.ID)
			changes = append(changes, sagapg.Change{saga.Step(l.Definition, l.State, saga.Timer{}, now)})
		}
		return b.store.Save(b.ctx, tx, changes)
	}))
	return ids
}

// lookNow makes the sweep look at the saga, whose timer may be far.
func (b *bench) lookNow(id saga.ID) {
	b.Helper()
	b.exec(`UPDATE saga SET look_at = now() - interval '1 second' WHERE id = $1`, uuid.UUID(id))
}

func TestOnlyDueTimersAreDue(t *testing.T) {
	b := setup(t)
	late, later, early := b.start("late"), b.start("later"), b.start("early")
	b.overdue(later)
	b.overdue(late)
	b.exec(`UPDATE saga SET look_at = look_at - interval '1 minute' WHERE id = $1`, uuid.UUID(late))
	b.lookNow(early)

	require.Equal(t, []saga.ID{later}, b.due(10, late), "not what is left out, nor what is only looked at")
	require.Equal(t, []saga.ID{late}, b.due(10))
	require.Empty(t, b.due(10))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga_history WHERE saga_id = $1`, uuid.UUID(early)), "looking writes no history")
	require.Equal(t, 3, b.count(`SELECT count(*) FROM saga WHERE look_at = wake_at AND wake_at > now()`))

	b.overdue(late)
	b.overdue(later)
	b.exec(`UPDATE saga SET look_at = look_at - interval '1 minute' WHERE id = $1`, uuid.UUID(late))
	require.Equal(t, []saga.ID{late}, b.due(1), "the longest due first")
	require.Equal(t, []saga.ID{later}, b.due(1))
}

// The time to look moves only to where it would be late: a step that is answered
// leaves it alone.
func TestLookingMovesOnlyForward(t *testing.T) {
	b := setup(t)
	approval := saga.StepDefinition{Name: "approval", Kind: saga.Signal, Wait: time.Hour, OnTimeout: saga.TimeoutRefuses}
	b.follow(saga.Definition{
		Name: "visit", Version: 1, Mode: saga.Sequence,
		Steps: []saga.StepDefinition{command("hotel"), approval, command("payment")},
	})
	id := b.start("K-1")
	at := func(what string) bool {
		return b.count(`SELECT count(*) FROM saga WHERE `+what) == 1
	}
	require.True(t, at(`look_at < wake_at - interval '4 seconds'`), "with room for a step that has less time")
	b.step(id, succeeded("hotel"))
	require.True(t, at(`look_at < wake_at - interval '50 minutes'`), "the approval may take an hour")
	b.lookNow(id)
	require.Empty(t, b.due(10))
	require.True(t, at(`look_at = wake_at`))
	b.step(id, saga.Signalled{Step: "approval"})
	require.True(t, at(`look_at < wake_at AND wake_at < now() + interval '50 minutes'`), "payment is waited for in seconds")
	b.overdue(id)
	require.Equal(t, []saga.ID{id}, b.due(10))
	require.True(t, at(`look_at = wake_at AND wake_at > now()`), "the look that finds it due is not repeated")
	b.step(id, succeeded("payment"))
	require.True(t, at(`look_at IS NULL AND wake_at IS NULL`))
}

// A parked or paused saga is never due, however early it is looked at, and is timed
// again when it goes on.
func TestStandingStillIsNotDue(t *testing.T) {
	refused := answer("room-booking", saga.Request, saga.OutcomeFailed)
	for name, halt := range map[string][]saga.Event{
		"parked": {booked(nil), refused},
		"paused": {saga.Action{Verb: saga.Pause, Who: "op"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			id := b.start("K-1")
			b.step(id, halt...)
			require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE wake_at IS NULL AND look_at < 'infinity'`))
			b.lookNow(id)
			require.Empty(t, b.due(10))
			require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE look_at = 'infinity'`))
			_, set, err := b.store.NextWake(b.ctx, b.db, nil)
			require.NoError(t, err)
			require.False(t, set)

			b.step(id, saga.Action{Verb: saga.Resume, Who: "op"})
			require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE look_at <= wake_at`))
			wait, set, err := b.store.NextWake(b.ctx, b.db, nil)
			require.NoError(t, err)
			require.True(t, set)
			require.Greater(t, wait, time.Second)
			_, set, err = b.store.NextWake(b.ctx, b.db, []saga.ID{id})
			require.NoError(t, err)
			require.False(t, set)
			b.overdue(id)
			require.Equal(t, []saga.ID{id}, b.due(10))
		})
	}
}

// What somebody else has locked is passed over, also when it is only looked at.
func TestDuePassesOverTheLocked(t *testing.T) {
	b := setup(t)
	late, early, free := b.start("late"), b.start("early"), b.start("free")
	b.overdue(late)
	b.overdue(free)
	b.lookNow(early)
	require.NoError(t, b.tx(func(tx pgx.Tx) error {
		_, _, err := b.store.Load(b.ctx, tx, []saga.ID{late, early})
		require.NoError(t, err)
		require.Equal(t, []saga.ID{free}, b.due(10))
		return nil
	}))
	require.Equal(t, 1, b.count(`SELECT count(*) FROM saga WHERE look_at < now() AND id = $1`, uuid.UUID(early)))
	require.Equal(t, []saga.ID{late}, b.due(10))
}

// More to look at than is put off at once: the rest is not due for that.
func TestDueAmongManyLooks(t *testing.T) {
	b := setup(t)
	id := b.start("K-1")
	columns := `type, definition_version, status, current_step, step_status, waiting, payload, version, wake_at, started_at, updated_at`
	b.exec(`INSERT INTO saga (id, look_at, `+columns+`)
		SELECT gen_random_uuid(), now() - interval '1 hour', `+columns+` FROM saga, generate_series(1, 1010) WHERE id = $1`, uuid.UUID(id))
	b.overdue(id)
	looks := func() int { return b.count(`SELECT count(*) FROM saga WHERE look_at < now() AND wake_at > now()`) }
	require.Equal(t, 1010, looks())
	require.Equal(t, []saga.ID{id}, b.due(10))
	require.Equal(t, 10, looks())
	require.Empty(t, b.due(10))
	require.Zero(t, looks())
}
