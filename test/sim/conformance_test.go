package sim_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
	"go.example/saga/test/sim"
)

// move is one command and what the participant's work would come to, if it is asked
// to work; rolledBack ones are of a transaction that does not commit.
type move struct {
	op         saga.Operation
	work       saga.Outcome
	number     int
	rolledBack bool
}

// moves are all that can happen to a step.
func moves() (all []move) {
	yes := map[saga.Operation]saga.Outcome{
		saga.Request: saga.OutcomeSucceeded, saga.Confirm: saga.OutcomeConfirmed, saga.Cancel: saga.OutcomeCompensated,
	}
	for _, op := range []saga.Operation{saga.Request, saga.Confirm, saga.Cancel} {
		for number, work := range []saga.Outcome{yes[op], saga.OutcomeFailed, saga.OutcomeRetry} {
			all = append(all, move{op: op, work: work, number: number + 1})
		}
		all = append(all, move{op: op, work: yes[op], number: 4, rolledBack: true})
	}
	return all
}

// TestTheTwinIsTheBarrier plays every sequence of three moves on the twin and on the
// barrier in PostgreSQL: both let the same work run and give the same answers.
func TestTheTwinIsTheBarrier(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Participant)
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), "SET synchronous_commit = off") // nobody cuts the power meanwhile
	require.NoError(t, err)
	const length = 3 // two moves reach every state, the third is any
	all := moves()
	total := 1
	for range length {
		total *= len(all)
	}
	for sequence := range total {
		real := step{id: uuid.New()}
		var twin sim.Twin
		rest := sequence
		var story string
		for range length {
			m := all[rest%len(all)]
			rest /= len(all)
			story += fmt.Sprintf(" %s→%s", m.op, m.work)
			require.Equal(t, inMemory(&twin, m), real.inPostgres(t.Context(), t, conn.Conn(), m), story)
		}
	}
}

// answered is what can be seen from outside.
type answered struct {
	Ran    bool
	Answer saga.Outcome
	Output string
}

func inMemory(twin *sim.Twin, m move) answered {
	before := *twin
	var a answered
	a.Ran, a.Answer = twin.Enter(m.op)
	if a.Ran {
		a.Answer = m.work
		twin.Leave(m.op, m.work, m.number)
	}
	if a.Answer == saga.OutcomeSucceeded {
		a.Output = output(twin.Number())
	}
	if m.rolledBack {
		*twin = before
	}
	return a
}

func output(number int) string { return fmt.Sprintf(`{"n": %d}`, number) }

// step is one step at the participant.
type step struct{ id uuid.UUID }

func (s step) inPostgres(ctx context.Context, t *testing.T, conn *pgx.Conn, m move) (a answered) {
	t.Helper()
	tx, err := conn.Begin(ctx)
	require.NoError(t, err)
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // it is over by then
	var answer, body *string
	err = tx.QueryRow(ctx, "SELECT run, answer, body::text FROM public.saga_barrier_enter($1, 'a', $2)", s.id, string(m.op)).
		Scan(&a.Ran, &answer, &body)
	require.NoError(t, err)
	if a.Ran {
		a.Answer = m.work
		if m.work == saga.OutcomeSucceeded {
			a.Output = output(m.number)
		}
		_, err = tx.Exec(ctx, "SELECT public.saga_barrier_leave($1, 'a', $2, $3, $4)", s.id, string(m.op), string(m.work), output(m.number))
		require.NoError(t, err)
	} else {
		a.Answer = saga.Outcome(*answer)
		if a.Answer == saga.OutcomeSucceeded {
			a.Output = *body
		}
	}
	if m.rolledBack {
		require.NoError(t, tx.Rollback(ctx))
	} else {
		require.NoError(t, tx.Commit(ctx))
	}
	return a
}
