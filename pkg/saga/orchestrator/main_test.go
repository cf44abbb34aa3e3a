package orchestrator

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func plan() saga.Definition {
	policy := saga.Policy{
		Timeout:  time.Hour,
		RetryFor: time.Hour,
		Retry:    saga.Retry{Initial: time.Hour, Factor: 1, Max: time.Hour, Attempts: 3},
	}
	step := func(name string) saga.StepDefinition {
		return saga.StepDefinition{Name: name, Kind: saga.Command, Type: saga.Compensatable, Destination: name, Request: policy, Cancel: policy}
	}
	return saga.Definition{Name: "trip", Version: 1, Mode: saga.Sequence, Steps: []saga.StepDefinition{step("hotel"), step("flight")}}
}

type bench struct {
	*testing.T
	ctx   context.Context
	db    *pgxpool.Pool
	store *sagapg.Store
}

func setup(t *testing.T) *bench {
	t.Parallel()
	b := &bench{
		T: t, ctx: t.Context(), store: sagapg.New("", testenv.Service),
		db: testenv.Database(t, sagasql.Outbox, sagasql.Saga, sagasql.Inbox),
	}
	_, err := b.store.ApplyDefinition(b.ctx, b.db, plan())
	require.NoError(t, err)
	return b
}

var hasty = timing{sweep: 20 * time.Millisecond, maxPause: 50 * time.Millisecond, postpone: time.Minute, batch: 10 * time.Second, recount: 20 * time.Millisecond}

// engine is one of the engines on the bench's database, in a hurry.
func (b *bench) engine() *Engine {
	b.Helper()
	e, err := New(Config{DB: b.db, Store: sagapg.New("", testenv.Service)})
	require.NoError(b, err)
	e.timing = hasty
	return e
}

// start starts n sagas in one transaction.
func (b *bench) start(n int) []saga.ID {
	b.Helper()
	ids := make([]saga.ID, n)
	require.NoError(b, pgx.BeginFunc(b.ctx, b.db, func(tx pgx.Tx) (err error) {
		for i := range ids {
			ids[i], _, err = b.store.Start(b.ctx, tx, plan(), sagapg.StartRequest{Payload: jsonmap.JSONMap{"n": i}})
			require.NoError(b, err)
		}
		return nil
	}))
	return ids
}

// overdue makes the timers of all running sagas due.
func (b *bench) overdue() { b.dueAt(`now() - interval '1 second'`) }

// dueAt sets the timers of all running sagas, of whose commands nothing is known: no relay
// serves the bench's outbox.
func (b *bench) dueAt(when string) {
	b.exec(`UPDATE saga SET wake_at = t.at, look_at = t.at, sent_xact = NULL,
			waiting = (SELECT jsonb_object_agg(w.key, w.value || jsonb_build_object('wake_at', t.at)) FROM jsonb_each(waiting) AS w)
		FROM (SELECT ` + when + ` AS at) AS t WHERE wake_at IS NOT NULL`)
}

// relayAt lets the bench's outbox be served, by a relay that has published everything.
func (b *bench) relayAt() {
	b.exec(`UPDATE outbox_position SET settled = pg_current_snapshot(), written_in = outbox_database()`)
}

// attempts counts the sagas that wait for the answer to such an attempt.
func (b *bench) attempts(attempt int) int {
	return b.count(`SELECT count(*) FROM saga WHERE jsonb_path_exists(waiting, '$.*.attempt ? (@ == $n)', jsonb_build_object('n', $1::integer))`, attempt)
}

// handle applies deliveries in one transaction, as the inbox does.
func (b *bench) handle(ds ...inbox.Delivery) []inbox.Rejection {
	b.Helper()
	var rejections []inbox.Rejection
	require.NoError(b, pgx.BeginFunc(b.ctx, b.db, func(tx pgx.Tx) (err error) {
		rejections, err = b.engine().Handle(b.ctx, tx, ds)
		return err
	}))
	return rejections
}

func (b *bench) exec(query string, args ...any) {
	b.Helper()
	_, err := b.db.Exec(b.ctx, query, args...)
	require.NoError(b, err)
}

func (b *bench) count(query string, args ...any) (n int) {
	b.Helper()
	require.NoError(b, b.db.QueryRow(b.ctx, query, args...).Scan(&n))
	return n
}

func (b *bench) status(id saga.ID) (s string) {
	b.Helper()
	require.NoError(b, b.db.QueryRow(b.ctx, `SELECT status || ' ' || coalesce((SELECT string_agg(concat_ws(' ', w.value->>'operation', w.key, w.value->>'attempt'), '; ' ORDER BY w.key)
		FROM jsonb_each(waiting) AS w), '') FROM saga WHERE id = $1`, uuid.UUID(id)).Scan(&s))
	return s
}

// sound checks what must hold for every saga at any time.
func (b *bench) sound() {
	b.Helper()
	require.Zero(b, b.count(`SELECT count(*) FROM saga s
		WHERE s.version <> (SELECT count(*) FROM saga_history h WHERE h.saga_id = s.id)
		   OR s.status <> (SELECT to_status FROM saga_history h WHERE h.saga_id = s.id ORDER BY seq DESC LIMIT 1)`),
		"the history has a gap")
	require.Zero(b, b.count(`SELECT count(*) FROM (
		SELECT from_status, lag(to_status) OVER (PARTITION BY saga_id ORDER BY seq) AS before FROM saga_history) h
		WHERE from_status <> before`), "the history is no path")
	require.Zero(b, b.count(`SELECT count(*) FROM (SELECT event_id FROM outbox GROUP BY 1 HAVING count(*) > 1) twice`),
		"one decision was made twice")
}

// command is the command of a step, as a participant receives it.
func command(id saga.ID, step string, op saga.Operation, attempt int) protocol.Command {
	return protocol.Command{
		MessageID: protocol.CommandID(id, step, op, attempt), SagaID: id, SagaType: "trip",
		Step: step, Operation: op, Attempt: attempt, ReplyTo: protocol.ReplyQueue(testenv.Service),
	}
}

// answer is the participant's reply as the broker delivers it.
func (b *bench) answer(id saga.ID, step string, op saga.Operation, outcome saga.Outcome) inbox.Delivery {
	b.Helper()
	m, err := protocol.ReplyMessage(command(id, step, op, 1), protocol.Reply{Outcome: outcome})
	require.NoError(b, err)
	return delivery(m)
}

func delivery(m outbox.Message) inbox.Delivery {
	return inbox.Delivery{
		MessageID: m.ID.String(), CorrelationID: m.CorrelationID, Type: m.Type, ReplyTo: m.ReplyTo,
		ContentType: m.ContentType, RoutingKey: m.RoutingKey, Headers: m.Headers, Body: m.Payload,
	}
}

func reasons(rejections []inbox.Rejection) map[int]string {
	m := map[int]string{}
	for _, r := range rejections {
		m[r.Index] = fmt.Sprint(m[r.Index], r.Reason)
	}
	return m
}
