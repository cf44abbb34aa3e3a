package participant_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
)

const remember, day = 90 * 24 * time.Hour, 24 * time.Hour

var today = time.Now()

// oldSaga is one that began so many days ago, the n-th of then.
func oldSaga(days, n int) saga.ID {
	ms := today.Add(-time.Duration(days) * day).UnixMilli()
	return saga.ID{byte(ms >> 40), byte(ms >> 32), byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms), 0x70, 0, 0x80, 14: byte(n >> 8), 15: byte(n)}
}

// age makes what the barrier knows so many days older.
func (b *bench) age(days int) {
	b.t.Helper()
	_, err := b.DB.Exec(b.t.Context(), `UPDATE saga_barrier SET entered_at = entered_at - make_interval(days => $1), ended_at = ended_at - make_interval(days => $1)`, days)
	require.NoError(b.t, err)
}

func (b *bench) forget() int64 {
	b.t.Helper()
	gone, err := participant.ForgetAll(b.p, b.t.Context(), remember)
	require.NoError(b.t, err)
	return gone
}

func (b *bench) last(id saga.ID) saga.Reply {
	b.t.Helper()
	all := b.answers(id)
	return all[len(all)-1].Reply
}

// A command for a saga that is forgotten does nothing and promises nothing, whatever became
// of the saga.
func TestAForgottenSagaIsRefused(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		histories := [][]saga.Operation{
			{saga.Request}, {saga.Cancel}, {saga.Request, saga.Cancel}, {saga.Request, saga.Confirm}, {}, // of the last it knows nothing
		}
		for round, op := range []saga.Operation{saga.Request, saga.Confirm, saga.Cancel} {
			var late []inbox.Delivery
			var ids []saga.ID
			effects := map[saga.ID]string{}
			for n, history := range histories {
				id := oldSaga(100, 100*round+len(histories)-n)
				ids = append(ids, id)
				for _, before := range history {
					b.deliver([]inbox.Delivery{command(id, "work", before, 1, "")})
				}
				effects[id] = b.effects(id)
				late = append(late, command(id, "work", op, 7, ""))
			}
			b.age(100)
			require.EqualValues(t, len(histories)-1, b.forget())
			young := newSaga()
			b.deliver(append(late, command(young, "work", saga.Request, 1, "")))
			for _, id := range ids {
				reply := b.last(id)
				require.Equal(t, "urn:problem:saga:forgotten", reply.Problem.Type)
				require.Equal(t, map[saga.Operation]saga.Outcome{"REQUEST": "retry", "CONFIRM": "failed", "CANCEL": "failed"}[op], reply.Outcome)
				require.Empty(t, b.state(id))
				require.Equal(t, effects[id], b.effects(id))
			}
			require.Equal(t, "REQUEST", b.effects(young))
		}
	})
}

// What is young, began long ago and was decided lately, has another kind of id, or is in hand
// stays, and is answered as before.
func TestOnlyOldSagasAreForgotten(t *testing.T) {
	b := setUp(t)
	other, lately, held, old := saga.ID(uuid.New()), oldSaga(200, 1), oldSaga(200, 2), oldSaga(91, 3)
	other[0] = 0 // below every id of version 7
	young := oldSaga(89, 1)
	for _, id := range []saga.ID{other, held, old, young} {
		b.deliver([]inbox.Delivery{command(id, "work", saga.Request, 1, ""), command(id, "a", saga.Request, 1, "")})
	}
	b.age(89)
	b.deliver([]inbox.Delivery{command(lately, "work", saga.Request, 1, ""), command(held, "work", saga.Cancel, 1, "")})
	require.Zero(t, b.forget(), "nothing was decided 90 days ago")
	b.age(2)
	_, err := b.DB.Exec(t.Context(), `UPDATE saga_barrier SET entered_at = now() WHERE saga_id = $1`, uuid.UUID(lately))
	require.NoError(t, err)
	_, err = b.DB.Exec(t.Context(), `UPDATE saga_barrier SET ended_at = now() WHERE saga_id = $1 AND step = 'work'`, uuid.UUID(held))
	require.NoError(t, err)
	require.NoError(t, pgx.BeginFunc(t.Context(), b.DB, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `SELECT FROM saga_barrier WHERE saga_id = $1 AND step = 'a' FOR UPDATE`, uuid.UUID(held))
		require.NoError(t, err)
		require.EqualValues(t, 2, b.forget())
		return nil
	}))
	require.Empty(t, b.state(old))
	require.Equal(t, []string{"succeeded succeeded", "succeeded", "succeeded compensated", "succeeded succeeded"},
		[]string{b.state(other), b.state(lately), b.state(held), b.state(young)})
	b.deliver([]inbox.Delivery{command(lately, "work", saga.Cancel, 1, ""), command(young, "work", saga.Cancel, 1, ""), command(other, "pivot", saga.Request, 1, "")})
	require.Equal(t, []string{"compensated", "succeeded compensated", "succeeded succeeded succeeded"}, []string{b.state(lately), b.state(young), b.state(other)})
	require.EqualValues(t, 1, b.forget(), "what was in hand goes the next time")
}

// However many rows are old, and whatever is known of the table, a transaction reads no more
// than it deletes.
func TestForgettingWalksTheKey(t *testing.T) {
	b := setUp(t)
	_, err := b.DB.Exec(t.Context(), seedSagas, 30_000)
	require.NoError(t, err)
	for _, known := range []string{`SELECT 1`, `ANALYZE saga_barrier`} {
		_, err := b.DB.Exec(t.Context(), known)
		require.NoError(t, err)
		after := uuid.UUID{}
		for round := range 8 { // more than until a generic plan is made
			require.NoError(t, pgx.BeginFunc(t.Context(), b.DB, func(tx pgx.Tx) error {
				const reads = `SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'saga_barrier'`
				var gone, before, read int64 // counted since the session told its statistics last
				var last uuid.UUID
				require.NoError(t, tx.QueryRow(t.Context(), reads).Scan(&before))
				require.NoError(t, tx.QueryRow(t.Context(), `SELECT * FROM saga_barrier_forget(now() - interval '90 days', $1, 100)`, after).Scan(&gone, &last))
				require.NoError(t, tx.QueryRow(t.Context(), reads).Scan(&read))
				require.EqualValues(t, 100, gone)
				require.Less(t, read-before, int64(1000), "%s, round %d", known, round)
				after = last
				return nil
			}))
		}
	}
}

// A clock that is a year fast has what is there forgotten at the most, and refuses nothing new.
func TestAFastClockRefusesNoNewSaga(t *testing.T) {
	b := setUp(t)
	before := newSaga()
	b.deliver([]inbox.Delivery{command(before, "work", saga.Request, 1, "")})
	var gone int64
	var last *uuid.UUID
	forget := func() {
		require.NoError(t, b.DB.QueryRow(t.Context(), `SELECT deleted, last FROM saga_barrier_forget(now() + interval '1 year', $1, 100)`, uuid.UUID{}).Scan(&gone, &last))
	}
	forget()
	require.Zero(t, gone, "a day is the least")
	old := oldSaga(2, 0)
	b.deliver([]inbox.Delivery{command(old, "work", saga.Request, 1, "")})
	b.age(2)
	forget()
	require.Equal(t, uuid.UUID(old), *last)
	after := oldSaga(1, 1)
	b.deliver([]inbox.Delivery{command(after, "work", saga.Request, 1, ""), command(before, "work", saga.Cancel, 1, "")})
	require.Equal(t, []string{"succeeded", "compensated", ""}, []string{b.state(after), b.state(before), b.state(old)})
}

// A command that comes while its row is being deleted waits, and is then refused as if it had
// come later. Nothing runs a second time, in whatever transaction a participant asks.
func TestALateCommandMeetsTheDeletion(t *testing.T) {
	bothForms(t, func(t *testing.T, b *bench) {
		for n, op := range []saga.Operation{saga.Request, saga.Cancel, saga.Confirm} {
			for m, commit := range []bool{true, false} {
				id := oldSaga(100, 10*n+m)
				b.deliver([]inbox.Delivery{command(id, "work", saga.Request, 1, "")})
				b.age(100)
				cleaner, err := b.DB.Begin(t.Context())
				require.NoError(t, err)
				_, err = cleaner.Exec(t.Context(), `SELECT saga_barrier_forget(now() - interval '90 days', $1, 1000)`, uuid.UUID{})
				require.NoError(t, err)
				late := make(chan error, 1)
				go func() {
					for again := true; again; {
						_, err := b.handle(command(id, "work", op, 2, ""))
						var pg *pgconn.PgError
						if again = errors.As(err, &pg) && pg.Code == "40001"; !again {
							late <- err
						}
					}
				}()
				require.Eventually(t, func() bool { return b.waiting() == "1" || op == saga.Confirm && len(late) == 1 }, soon, often)
				if commit {
					require.NoError(t, cleaner.Commit(t.Context()))
				} else {
					require.NoError(t, cleaner.Rollback(t.Context()))
				}
				require.NoError(t, <-late)
				if commit {
					require.Equal(t, "urn:problem:saga:forgotten", b.last(id).Problem.Type, "%s", op)
					require.Equal(t, "REQUEST", b.effects(id), "%s", op)
				} else {
					require.Equal(t, map[saga.Operation]saga.Outcome{"REQUEST": "succeeded", "CONFIRM": "confirmed", "CANCEL": "compensated"}[op], b.last(id).Outcome)
				}
			}
		}
	})
}

// Under other isolation levels, which a participant with SQL alone may have, the database
// refuses what cannot be known.
func TestForgettingUnderOtherIsolation(t *testing.T) {
	b := setUp(t)
	for n, op := range []string{"REQUEST", "CANCEL", "CONFIRM"} {
		for m, level := range []pgx.TxIsoLevel{pgx.RepeatableRead, pgx.Serializable} {
			id := oldSaga(100, 10*n+m)
			b.deliver([]inbox.Delivery{command(id, "work", saga.Request, 1, "")})
			b.age(100)
			err := pgx.BeginTxFunc(t.Context(), b.DB, pgx.TxOptions{IsoLevel: level}, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), `SELECT count(*) FROM outbox`)
				require.NoError(t, err)
				require.EqualValues(t, 1, b.forget())
				var answer string
				err = tx.QueryRow(t.Context(), `SELECT concat(run, answer, body) FROM saga_barrier_enter($1, 'work', $2)`, uuid.UUID(id), op).Scan(&answer)
				require.Error(t, err, "%s: %s", op, answer)
				return err
			})
			var pg *pgconn.PgError
			require.ErrorAs(t, err, &pg, fmt.Sprint(op, level))
			require.Equal(t, "40001", pg.Code, "%s %s", op, level)
		}
	}
}

// The loop forgets, and its bound is checked.
func TestRememberIsChecked(t *testing.T) {
	b := setUp(t)
	b.Remember = time.Hour
	_, err := participant.New(b.Config)
	require.ErrorContains(t, err, "Remember")
	b.Remember = -1
	p, err := participant.New(b.Config)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, p.Run(ctx))
}
