package participant_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
)

// Whatever the race, what comes out is one of the orders of arrival.
func TestRaces(t *testing.T) {
	b := setUp(t)
	other, err := participant.New(b.Config)
	require.NoError(t, err)
	deliver := func(p *participant.Participant, d inbox.Delivery) error {
		return pgx.BeginFunc(context.Background(), b.DB, func(tx pgx.Tx) error {
			_, err := participant.Handle(p, context.Background(), tx, []inbox.Delivery{d})
			return err
		})
	}
	for _, c := range []struct {
		before      []saga.Operation
		left, right saga.Operation
		ends        map[string]string // state → effects
	}{
		{nil, saga.Request, saga.Cancel, map[string]string{"compensated": "REQUEST CANCEL", "cancelled": ""}},
		{nil, saga.Request, saga.Request, map[string]string{"succeeded": "REQUEST"}},
		{nil, saga.Request, saga.Confirm, map[string]string{"succeeded": "REQUEST", "confirmed": "REQUEST CONFIRM"}},
		{[]saga.Operation{saga.Request}, saga.Confirm, saga.Cancel, map[string]string{"confirmed": "REQUEST CONFIRM", "compensated": "REQUEST CANCEL"}},
		{[]saga.Operation{saga.Request}, saga.Cancel, saga.Cancel, map[string]string{"compensated": "REQUEST CANCEL"}},
		{[]saga.Operation{saga.Request}, saga.Confirm, saga.Confirm, map[string]string{"confirmed": "REQUEST CONFIRM"}},
	} {
		seen := map[string]int{}
		for range 50 {
			id := newSaga()
			for _, op := range c.before {
				require.NoError(t, deliver(b.p, command(id, "work", op, 1, "")))
			}
			errs := make(chan error, 2)
			go func() { errs <- deliver(b.p, command(id, "work", c.left, 1, "")) }()
			go func() { errs <- deliver(other, command(id, "work", c.right, 1, "")) }()
			require.NoError(t, <-errs)
			require.NoError(t, <-errs)
			state := b.state(id)
			seen[state]++
			effects, possible := c.ends[state]
			require.True(t, possible, "%s against %s ends as %q", c.left, c.right, state)
			require.Equal(t, effects, b.effects(id), "%s against %s", c.left, c.right)
		}
		t.Log(c.left, c.right, seen)
	}
}

// The loser of the race waits for the winner's transaction, whichever it is and
// however it ends.
func TestTheLoserWaitsForTheWinner(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		for name, c := range map[string]struct {
			requested     bool
			first, second saga.Operation
			commit        bool
			state         string
		}{
			"request commits":      {false, saga.Request, saga.Cancel, true, "compensated"},
			"request rolls back":   {false, saga.Request, saga.Cancel, false, "cancelled"},
			"cancel commits":       {false, saga.Cancel, saga.Request, true, "cancelled"},
			"cancel rolls back":    {false, saga.Cancel, saga.Request, false, "succeeded"},
			"confirm commits":      {true, saga.Confirm, saga.Cancel, true, "confirmed"},
			"confirm rolls back":   {true, saga.Confirm, saga.Cancel, false, "compensated"},
			"undoing commits":      {true, saga.Cancel, saga.Confirm, true, "compensated"},
			"undoing rolls back":   {true, saga.Cancel, saga.Confirm, false, "confirmed"},
			"repetition commits":   {false, saga.Request, saga.Request, true, "succeeded"},
			"repetition has to do": {false, saga.Request, saga.Request, false, "succeeded"},
		} {
			id := newSaga()
			if c.requested {
				b.deliver([]inbox.Delivery{command(id, "work", saga.Request, 1, "")})
			}
			tx, err := b.DB.Begin(t.Context())
			require.NoError(t, err)
			_, err = participant.Handle(b.p, t.Context(), tx, []inbox.Delivery{command(id, "work", c.first, 1, "")})
			require.NoError(t, err)
			loser := make(chan error, 1)
			go func() {
				_, err := b.handle(command(id, "work", c.second, 1, ""))
				loser <- err
			}()
			require.Eventually(t, func() bool { return b.waiting() == "1" }, soon, often, name)
			if c.commit {
				require.NoError(t, tx.Commit(t.Context()))
			} else {
				require.NoError(t, tx.Rollback(t.Context()))
			}
			require.NoError(t, <-loser, name)
			require.Equal(t, c.state, b.state(id), name)
		}
	})
}

// Two instances get the same steps in opposite order, and both have to wait.
func TestInstancesDoNotDeadlock(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		for range 20 {
			id := newSaga()
			blocker, err := b.DB.Begin(t.Context())
			require.NoError(t, err)
			_, err = participant.Handle(b.p, t.Context(), blocker, []inbox.Delivery{command(id, "work", saga.Request, 1, "")})
			require.NoError(t, err)
			errs := make(chan error, 2)
			for _, steps := range [][]string{{"a", "work"}, {"work", "a"}} {
				go func() {
					_, err := b.handle(command(id, steps[0], saga.Request, 1, ""), command(id, steps[1], saga.Request, 1, ""))
					errs <- err
				}()
			}
			require.Eventually(t, func() bool { return b.waiting() == "2" }, soon, often)
			require.NoError(t, blocker.Rollback(t.Context()))
			require.NoError(t, <-errs)
			require.NoError(t, <-errs)
		}
	})
}

// Nor do they with every operation on both sides, new steps and known ones.
func TestInstancesDoNotDeadlockOverAnyOperation(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		operations := []saga.Operation{saga.Request, saga.Confirm, saga.Cancel}
		for range 30 {
			var before, left, right []inbox.Delivery
			for n := range 36 {
				id := newSaga()
				if n%4 == 0 {
					before = append(before, command(id, "work", saga.Request, 1, ""))
				}
				left = append(left, command(id, "work", operations[n%3], 2, ""))
				right = append([]inbox.Delivery{command(id, "work", operations[n/3%3], 3, "")}, right...)
			}
			b.deliver(before)
			errs := make(chan error, 2)
			for _, ds := range [][]inbox.Delivery{left, right} {
				go func() {
					_, err := b.handle(ds...)
					errs <- err
				}()
			}
			require.NoError(t, <-errs)
			require.NoError(t, <-errs)
		}
	})
}

// waiting is how many sessions wait for another one's transaction.
func (b *bench) waiting() string {
	return b.text(`SELECT count(*)::text FROM pg_locks WHERE NOT granted AND pid IN
		(SELECT pid FROM pg_stat_activity WHERE datname = current_database())`)
}

// An answer is kept with its body: the output, the refusal, or why nothing ran.
func TestTheBarrierInPlainSQL(t *testing.T) {
	b := setUp(t)
	id := uuid.New()
	tell := func(tx pgx.Tx, op string) (answer string) {
		require.NoError(t, tx.QueryRow(t.Context(),
			`SELECT concat_ws(' ', run, answer, coalesce(body ->> 'type', body::text)) FROM saga_barrier_enter($1, 'work', $2)`, id, op).Scan(&answer))
		return answer
	}
	leave := func(tx pgx.Tx, op, outcome, body string) error {
		_, err := tx.Exec(t.Context(), `SELECT saga_barrier_leave($1, 'work', $2, $3, $4)`, id, op, outcome, body)
		return err
	}
	for _, c := range []struct{ op, answer, outcome, body string }{
		{"CONFIRM", "f retry urn:problem:saga:not-requested", "", ""},
		{"REQUEST", "t", "succeeded", `{"a": 1}`},
		{"REQUEST", `f succeeded {"a": 1}`, "", ""},
		{"CANCEL", "t", "failed", "{}"},
		{"CONFIRM", "t", "retry", "{}"},
		{"CONFIRM", "t", "confirmed", "{}"},
		{"CONFIRM", "f confirmed {}", "", ""},
		{"CANCEL", "f failed urn:problem:saga:confirmed", "", ""},
		{"REQUEST", `f succeeded {"a": 1}`, "", ""},
	} {
		require.NoError(t, pgx.BeginFunc(t.Context(), b.DB, func(tx pgx.Tx) error {
			require.Equal(t, c.answer, tell(tx, c.op))
			if c.outcome == "" {
				return nil
			}
			return leave(tx, c.op, c.outcome, c.body)
		}))
	}
	// What is committed stands.
	for _, outcome := range []string{"succeeded", "failed", "retry"} {
		err := pgx.BeginFunc(t.Context(), b.DB, func(tx pgx.Tx) error { return leave(tx, "REQUEST", outcome, "{}") })
		require.ErrorContains(t, err, "was not entered in this transaction")
	}
	require.Equal(t, "confirmed", b.state(saga.ID(id)))

	_, err := b.DB.Exec(t.Context(), `SELECT saga_barrier_enter(gen_random_uuid(), 'work', 'UNDO')`)
	require.ErrorContains(t, err, "want REQUEST, CONFIRM or CANCEL")
	_, err = b.DB.Exec(t.Context(), `SELECT saga_barrier_leave(gen_random_uuid(), 'work', 'CANCEL', 'confirmed')`)
	require.ErrorContains(t, err, "no outcome of CANCEL")
}

// Whoever writes to the table by hand is held to its rules too.
func TestTheTableHoldsItsInvariants(t *testing.T) {
	b := setUp(t)
	id := newSaga()
	for _, op := range []saga.Operation{saga.Request, saga.Confirm} {
		b.deliver([]inbox.Delivery{command(id, "work", op, 1, "")})
	}
	for statement, constraint := range map[string]string{
		`UPDATE saga_barrier SET state = 'compensated'`:                                                          "saga_barrier_decided_for_good",
		`UPDATE saga_barrier SET state = 'succeeded', ended_at = NULL`:                                           "saga_barrier_decided_for_good",
		`UPDATE saga_barrier SET ended_at = NULL`:                                                                "saga_barrier_ended_by_its_end",
		`INSERT INTO saga_barrier (saga_id, step, state) VALUES (gen_random_uuid(), 'a', 'confirmed')`:           "saga_barrier_ended_by_its_end",
		`INSERT INTO saga_barrier (saga_id, step, state) VALUES (gen_random_uuid(), 'a', 'undone')`:              "saga_barrier_state_known",
		`INSERT INTO saga_barrier (saga_id, step, state) VALUES (gen_random_uuid(), '', 'failed')`:               "saga_barrier_step_given",
		`INSERT INTO saga_barrier (saga_id, step, state, reply) VALUES (gen_random_uuid(), 'a', 'failed', '[]')`: "saga_barrier_reply_is_object",
		`INSERT INTO saga_barrier (saga_id, step, state) SELECT saga_id, step, 'failed' FROM saga_barrier`:       "saga_barrier_pkey",
	} {
		_, err := b.DB.Exec(t.Context(), statement)
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg, statement)
		require.Equal(t, constraint, pg.ConstraintName, statement)
	}
}
