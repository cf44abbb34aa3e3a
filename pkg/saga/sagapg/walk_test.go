package sagapg_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// Every state that the core can reach satisfies every constraint, and comes back
// as it was saved.
func TestWhateverStepDecidesCanBeStored(t *testing.T) {
	b := setup(t)
	random := rand.New(rand.NewPCG(1, 2))
	const sagas, events = 100, 40
	for _, def := range []saga.Definition{journey(), tried()} {
		b.follow(def)
		for range sagas {
			b.walk(b.start(""), random, 1+random.IntN(events))
		}
	}
	for _, status := range []saga.Status{
		saga.StatusStarted, saga.StatusAborting, saga.StatusParked,
		saga.StatusCompleted, saga.StatusAborted, saga.StatusKilled,
	} {
		require.NotZero(t, b.count(`SELECT count(*) FROM saga_history WHERE to_status = $1`, status), "the walk never came to %s", status)
	}
	for _, status := range []saga.StepStatus{
		saga.StepStarted, saga.StepSucceeded, saga.StepFailed, saga.StepConfirming, saga.StepConfirmed,
		saga.StepCompensating, saga.StepCompensated, saga.StepSkipped, saga.StepOmitted,
	} {
		require.NotZero(t, b.count(`SELECT count(*) FROM saga WHERE jsonb_path_exists(step_status, '$.* ? (@ == $s)', jsonb_build_object('s', $1::text))`, status),
			"the walk never left a step %s", status)
	}
	require.NotZero(t, b.count(`SELECT count(*) FROM saga WHERE paused`))
	require.NotZero(t, b.count(`SELECT count(*) FROM saga WHERE signals IS NOT NULL`))
	require.NotZero(t, b.count(`SELECT count(*) FROM saga_timeline WHERE sentence IS NOT NULL`))
	require.Zero(t, b.count(`SELECT count(*) FROM saga_timeline WHERE sentence IS NULL`))
}

// walk applies events to the saga, saves it after each few, and holds that it comes
// back as it was.
func (b *bench) walk(id saga.ID, random *rand.Rand, events int) {
	b.Helper()
	// Long ago: what is written in the future comes back with other times.
	const ago = 10 * 365 * 24 * time.Hour
	b.exec(`UPDATE saga SET started_at = started_at - $2::interval, updated_at = updated_at - $2::interval, deadline = deadline - $2::interval,
		wake_at = wake_at - $2::interval, look_at = look_at - $2::interval, waiting = (SELECT coalesce(jsonb_object_agg(w.key,
			CASE WHEN w.value ? 'wake_at' THEN w.value || jsonb_build_object('wake_at', (w.value ->> 'wake_at')::timestamptz - $2::interval)
			ELSE w.value END), '{}') FROM jsonb_each(waiting) AS w) WHERE id = $1`, uuid.UUID(id), ago)
	require.NoError(b, b.tx(func(tx pgx.Tx) error {
		loaded, now, err := b.store.Load(b.ctx, tx, []saga.ID{id})
		require.NoError(b, err)
		now = now.Add(-ago)
		state := loaded[0].State
		if d := b.def.Deadline; d > 0 {
			require.True(b, state.StartedAt.Add(d).Equal(state.Deadline))
		}
		for events > 0 {
			var change sagapg.Change
			for range 1 + random.IntN(5) {
				now = now.Add(time.Duration(random.Int64N(int64(time.Minute))))
				if wake := state.WakeAt(); random.IntN(6) == 0 && !wake.IsZero() {
					now = wake.Add(time.Microsecond)
				}
				step := saga.Step(loaded[0].Definition, state, anything(random, state), now)
				state = step.Next
				change = append(change, step)
				events--
			}
			require.NoError(b, b.store.Save(b.ctx, tx, []sagapg.Change{change}), "%+v", state)
			loaded, _, err = b.store.Load(b.ctx, tx, []saga.ID{id})
			require.NoError(b, err)
			require.Equal(b, comparable(state), comparable(loaded[0].State))
			state = loaded[0].State
		}
		return nil
	}))
}

// anything is an event, more often than not one that is waited for.
func anything(random *rand.Rand, s saga.State) saga.Event {
	pick := func(n int) int { return random.IntN(n) }
	about := s.Steps[pick(len(s.Steps))]
	for range 3 { // what is under way should come often
		if about.Operation() == "" {
			about = s.Steps[pick(len(s.Steps))]
		}
	}
	switch pick(16) {
	case 0, 1:
		return saga.Timer{}
	case 2, 3, 4:
		return saga.Signalled{
			Step: []string{"approval", "survey", about.Name}[pick(3)], Refused: pick(8) == 0,
			Output: jsonmap.JSONMap{"by": json.Number("1")}, Reason: "seen", Who: "ada",
		}
	case 5, 6:
		verb := []saga.Verb{saga.RetryNow, saga.Skip, saga.Abort, saga.Pause, saga.Resume, saga.Resume, saga.Resume, saga.Kill}[pick(8)]
		return saga.Action{Verb: verb, Step: []string{"", about.Name}[pick(2)], Who: "op", Reason: "because", Output: jsonmap.JSONMap{"by": "hand"}}
	}
	op := about.Operation()
	if op == "" || pick(8) == 0 {
		op = []saga.Operation{saga.Request, saga.Confirm, saga.Cancel}[pick(3)]
	}
	yes := map[saga.Operation]saga.Outcome{
		saga.Request: saga.OutcomeSucceeded, saga.Confirm: saga.OutcomeConfirmed, saga.Cancel: saga.OutcomeCompensated,
	}[op]
	return saga.Reply{
		Step: about.Name, Operation: op, Attempt: pick(3), MessageID: uuid.NewString(),
		Outcome: []saga.Outcome{yes, yes, yes, yes, yes, yes, saga.OutcomeFailed, saga.OutcomeRetry}[pick(8)],
		Problem: saga.Problem{Title: "no"}, Output: jsonmap.JSONMap{"n": json.Number([]string{"0.10", "-1"}[pick(2)])},
	}
}

// comparable is the state as JSON, with its times to the microsecond, as columns hold
// them.
func comparable(s saga.State) string {
	times := []*time.Time{&s.Deadline, &s.StartedAt, &s.UpdatedAt, &s.EndedAt}
	s.Steps = slices.Clone(s.Steps)
	for i := range s.Steps {
		times = append(times, &s.Steps[i].WakeAt)
	}
	for _, at := range times {
		*at = at.UTC().Round(time.Microsecond)
	}
	if s.Outputs == nil {
		s.Outputs = jsonmap.JSONMap{}
	}
	if len(s.Signals) == 0 {
		s.Signals = nil
	}
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}
