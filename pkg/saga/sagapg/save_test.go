package sagapg_test

import (
	"encoding/json"
	"math/rand/v2"
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
	require.Equal(t, 1, b.count(`SELECT count(*) FROM outbox WHERE exchange = 'saga.events' AND routing_key = 'room-reservation.completed'`))
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

// Every state that the core can reach satisfies every constraint, and comes back
// as it was saved.
func TestWhateverStepDecidesCanBeStored(t *testing.T) {
	b := setup(t)
	b.def.Version = 2
	b.def.Steps = append(b.def.Steps,
		saga.StepDefinition{Name: "seal", Type: saga.Pivot, Destination: "seal", Request: b.def.Steps[0].Request},
		saga.StepDefinition{Name: "mail", Type: saga.Retriable, Destination: "mail", Request: b.def.Steps[0].Request})
	_, err := b.store.ApplyDefinition(b.ctx, b.db, b.def)
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(1, 2))
	const sagas, events = 150, 25
	for range sagas {
		id := b.start("")
		require.NoError(t, b.tx(func(tx pgx.Tx) error {
			loaded, now, err := b.store.Load(b.ctx, tx, []saga.ID{id})
			require.NoError(t, err)
			state := loaded[0].State
			var change sagapg.Change
			for range 1 + random.IntN(events) {
				now = now.Add(time.Duration(random.Int64N(int64(time.Minute)))).Truncate(time.Microsecond)
				step := saga.Step(loaded[0].Definition, state, anything(random, state), now)
				state = step.Next
				change = append(change, step)
			}
			require.NoError(t, b.store.Save(b.ctx, tx, []sagapg.Change{change}), "%v", change)
			back, _, err := b.store.Load(b.ctx, tx, []saga.ID{id})
			require.NoError(t, err)
			require.Equal(t, comparable(state), comparable(back[0].State))
			return nil
		}))
	}
	for _, status := range []saga.Status{saga.StatusCompleted, saga.StatusAborted, saga.StatusParked, saga.StatusAborting} {
		require.NotZero(t, b.count(`SELECT count(*) FROM saga WHERE status = $1`, status), "the walk never came to %s", status)
	}
}

// anything is an event, more often than not one that is waited for.
func anything(random *rand.Rand, s saga.State) saga.Event {
	pick := func(n int) int { return random.IntN(n) }
	step, op := s.CurrentStep, s.Operation
	if step == "" || pick(4) == 0 {
		step = []string{"room-booking", "payment", "seal", "mail"}[pick(4)]
	}
	if op == "" || pick(8) == 0 {
		op = []saga.Operation{saga.Request, saga.Cancel}[pick(2)]
	}
	switch pick(8) {
	case 0:
		return saga.Timer{}
	case 1:
		verb := []saga.Verb{saga.RetryNow, saga.Skip, saga.Abort, saga.Resume}[pick(4)]
		return saga.Action{Verb: verb, Who: "op", Reason: "because", Output: jsonmap.JSONMap{"by": "hand"}}
	}
	reply := saga.Reply{
		Step: step, Operation: op, Attempt: pick(3), MessageID: uuid.NewString(),
		Problem: saga.Problem{Title: "no"}, Output: jsonmap.JSONMap{"n": json.Number("0.10")},
	}
	outcomes := []saga.Outcome{saga.OutcomeSucceeded, saga.OutcomeSucceeded, saga.OutcomeFailed, saga.OutcomeRetry}
	if op == saga.Cancel {
		outcomes = []saga.Outcome{saga.OutcomeCompensated, saga.OutcomeCompensated, saga.OutcomeFailed, saga.OutcomeRetry}
	}
	reply.Outcome = outcomes[pick(4)]
	return reply
}

// comparable is the state as JSON, with the times as the column holds them.
func comparable(s saga.State) string {
	for _, at := range []*time.Time{&s.WakeAt, &s.StartedAt, &s.UpdatedAt, &s.EndedAt} {
		*at = at.UTC().Round(time.Microsecond)
	}
	if s.Outputs == nil {
		s.Outputs = jsonmap.JSONMap{}
	}
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}
