package sagapg_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// bench is a database with the saga tables and the definition stored.
type bench struct {
	*testing.T
	ctx   context.Context
	db    *pgxpool.Pool
	store *sagapg.Store
	def   saga.Definition
}

func setup(t *testing.T) *bench {
	t.Parallel()
	b := &bench{
		T: t, ctx: t.Context(), def: plan(),
		db:    testenv.Database(t, sagasql.Outbox, sagasql.Saga, sagasql.Inbox),
		store: sagapg.New("", testenv.Service),
	}
	stored, err := b.store.ApplyDefinition(b.ctx, b.db, b.def)
	require.NoError(t, err)
	require.True(t, stored)
	return b
}

func (b *bench) tx(work func(tx pgx.Tx) error) error { return pgx.BeginFunc(b.ctx, b.db, work) }

// start starts a saga and commits.
func (b *bench) start(key string) saga.ID {
	b.Helper()
	var id saga.ID
	require.NoError(b, b.tx(func(tx pgx.Tx) (err error) {
		id, _, err = b.store.Start(b.ctx, tx, b.def, sagapg.StartRequest{BusinessKey: key, Payload: jsonmap.JSONMap{"room": 1}})
		return err
	}))
	return id
}

// step applies events to one saga in a transaction of its own.
func (b *bench) step(id saga.ID, events ...saga.Event) saga.State {
	b.Helper()
	var state saga.State
	require.NoError(b, b.tx(func(tx pgx.Tx) error {
		loaded, now, err := b.store.Load(b.ctx, tx, []saga.ID{id})
		if err != nil {
			return err
		}
		require.Len(b, loaded, 1)
		state = loaded[0].State
		var change sagapg.Change
		for _, e := range events {
			t := saga.Step(loaded[0].Definition, state, e, now)
			state = t.Next
			change = append(change, t)
		}
		return b.store.Save(b.ctx, tx, []sagapg.Change{change})
	}))
	return state
}

// load reads a saga back.
func (b *bench) load(id saga.ID) saga.State {
	b.Helper()
	var state saga.State
	require.NoError(b, b.tx(func(tx pgx.Tx) error {
		loaded, _, err := b.store.Load(b.ctx, tx, []saga.ID{id})
		if err != nil {
			return err
		}
		require.Len(b, loaded, 1)
		state = loaded[0].State
		return nil
	}))
	return state
}

// overdue makes the saga's timers due since a minute.
func (b *bench) overdue(id saga.ID) {
	b.Helper()
	b.exec(`UPDATE saga SET wake_at = t.at, look_at = t.at, waiting = (
			SELECT jsonb_object_agg(w.key, w.value || jsonb_build_object('wake_at', t.at)) FROM jsonb_each(waiting) w)
		FROM (SELECT now() - interval '1 minute' AS at) t WHERE id = $1`, uuid.UUID(id))
}

func (b *bench) count(query string, args ...any) (n int) {
	b.Helper()
	require.NoError(b, b.db.QueryRow(b.ctx, query, args...).Scan(&n))
	return n
}

func (b *bench) exec(query string, args ...any) {
	b.Helper()
	_, err := b.db.Exec(b.ctx, query, args...)
	require.NoError(b, err)
}

func booked(output jsonmap.JSONMap) saga.Reply {
	return saga.Reply{
		Step: "room-booking", Operation: saga.Request, Outcome: saga.OutcomeSucceeded,
		Attempt: 1, Output: output, MessageID: uuid.NewString(),
	}
}

func paid() saga.Reply {
	return saga.Reply{Step: "payment", Operation: saga.Request, Outcome: saga.OutcomeSucceeded, Attempt: 1, MessageID: uuid.NewString()}
}

func declined() saga.Reply {
	return saga.Reply{
		Step: "payment", Operation: saga.Request, Outcome: saga.OutcomeFailed, Attempt: 1,
		Problem: saga.Problem{Title: "Card declined", Detail: "limit reached"}, MessageID: uuid.NewString(),
	}
}

func released() saga.Reply {
	return saga.Reply{Step: "room-booking", Operation: saga.Cancel, Outcome: saga.OutcomeCompensated, Attempt: 1, MessageID: uuid.NewString()}
}
