package participant_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// bench is a participant with one step, "work", whose handlers note each run in
// the table effect and then behave as the command's payload says.
type bench struct {
	t *testing.T
	p *participant.Participant
	participant.Config
	// call, where set, carries commands to the participant otherwise than handle does.
	call func(...inbox.Delivery) ([]inbox.Rejection, error)
}

func setUp(t *testing.T) *bench {
	t.Parallel()
	return setUpAlone(t)
}

// setUpAlone is setUp for a test beside which none runs.
func setUpAlone(t *testing.T) *bench {
	b := &bench{t: t}
	b.Config = participant.Config{
		Service: testenv.Service, DB: testenv.Database(t, sagasql.Outbox, sagasql.Inbox, sagasql.Participant),
		Open:  func(context.Context, sagasql.Service) (inbox.Source, error) { return nil, errors.New("not opened") },
		Steps: map[string]participant.Step{"work": {Request: request, Confirm: follow, Cancel: follow}, "pivot": {Request: request}, "a": {Request: request, Cancel: follow}},
		// However slow the machine is, a batch is one transaction.
		Budget:       time.Minute,
		WithoutRelay: true,
		Log:          zaptest.NewLogger(t),
	}
	_, err := b.DB.Exec(t.Context(), `CREATE TABLE effect (id bigint GENERATED ALWAYS AS IDENTITY, saga uuid, op text)`)
	require.NoError(t, err)
	b.p, err = participant.New(b.Config)
	require.NoError(t, err)
	return b
}

func request(ctx context.Context, tx pgx.Tx, cmd participant.Command) (jsonmap.JSONMap, error) {
	err := behave(ctx, tx, cmd)
	if err != nil {
		return nil, err
	}
	return jsonmap.JSONMap{"number": json.Number("9007199254740993")}, nil
}

func follow(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
	return behave(ctx, tx, cmd)
}

func behave(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
	if _, err := tx.Exec(ctx, `INSERT INTO effect (saga, op) VALUES ($1, $2)`, uuid.UUID(cmd.SagaID), cmd.Operation); err != nil {
		return err
	}
	return misbehave(ctx, tx, cmd)
}

func misbehave(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
	switch cmd.Payload["behaviour"] {
	case "refuse":
		return participant.Refuse(saga.Problem{Type: "urn:test:no", Title: "No", Detail: "not \x00 today"})
	case "fail":
		return errors.New("password=hunter2 was wrong")
	case "sqlfail":
		_, err := tx.Exec(ctx, `SELECT 1/0`)
		return err
	case "hide":
		_, _ = tx.Exec(ctx, `SELECT 1/0`)
	case "panic":
		panic("out of order")
	case "commit":
		return tx.Commit(ctx)
	case "rollback":
		_ = tx.Rollback(ctx)
	case "release": // the savepoint of the batch, which is not its own
		_, err := tx.Exec(ctx, `RELEASE SAVEPOINT saga_command`)
		return err
	case "sleep":
		_, err := tx.Exec(ctx, `SELECT pg_sleep(0.6)`)
		return err
	case "lose":
		_, err := tx.Exec(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
		return err
	}
	return nil
}

// together is request and follow for all commands of a batch.
func together(ctx context.Context, tx pgx.Tx, cmds []participant.Command) ([]participant.Result, error) {
	results := make([]participant.Result, len(cmds))
	var sagas []uuid.UUID
	for i, cmd := range cmds {
		if cmd.Operation == saga.Request {
			results[i].Output = jsonmap.JSONMap{"number": json.Number("9007199254740993")}
		}
		switch cmd.Payload["behaviour"] {
		case "refuse", "fail": // without an effect, as it has to be
			results[i] = participant.Result{Err: misbehave(ctx, tx, cmd)}
		default:
			sagas = append(sagas, uuid.UUID(cmd.SagaID))
		}
	}
	if _, err := tx.Exec(ctx, `INSERT INTO effect (saga, op) SELECT unnest($1::uuid[]), $2`, sagas, cmds[0].Operation); err != nil {
		return nil, err
	}
	for i, cmd := range cmds {
		if results[i].Err == nil {
			if err := misbehave(ctx, tx, cmd); err != nil {
				return nil, err
			}
		}
	}
	return results, nil
}

// bothForms runs a test with handlers for one command, and with handlers for all.
func bothForms(t *testing.T, test func(*testing.T, *bench)) {
	t.Run("one at a time", func(t *testing.T) { test(t, setUp(t)) })
	t.Run("all at once", func(t *testing.T) {
		b := setUp(t)
		b.Steps = map[string]participant.Step{
			"work":  {RequestAll: together, ConfirmAll: together, CancelAll: together},
			"pivot": {RequestAll: together}, "a": {RequestAll: together, CancelAll: together},
		}
		var err error
		b.p, err = participant.New(b.Config)
		require.NoError(t, err)
		test(t, b)
	})
	t.Run("by HTTP", func(t *testing.T) { test(t, byHTTP(t)) })
}

// command is what the orchestrator would send.
func command(id saga.ID, step string, op saga.Operation, attempt int, behaviour string) inbox.Delivery {
	m, err := protocol.CommandMessage("trips", saga.State{ID: id, Type: "test"},
		saga.SendCommand{
			Step: step, Operation: op, Attempt: attempt, Destination: step,
			Payload: jsonmap.JSONMap{"behaviour": behaviour},
		})
	if err != nil {
		panic(err)
	}
	return wire(m)
}

func wire(m outbox.Message) inbox.Delivery {
	return inbox.Delivery{
		MessageID: m.ID.String(), Type: m.Type, ReplyTo: m.ReplyTo, ContentType: m.ContentType,
		Exchange: m.Exchange, RoutingKey: m.RoutingKey, Headers: m.Headers, Body: m.Payload,
	}
}

// handle does one batch in one transaction.
func (b *bench) handle(ds ...inbox.Delivery) (rejections []inbox.Rejection, err error) {
	if b.call != nil {
		return b.call(ds...)
	}
	err = pgx.BeginFunc(b.t.Context(), b.DB, func(tx pgx.Tx) error {
		rejections, err = participant.Handle(b.p, b.t.Context(), tx, ds)
		return err
	})
	return rejections, err
}

// answer is a reply in the outbox.
type answer struct {
	ID    uuid.UUID
	Reply saga.Reply
}

// answers are all replies of a saga, in order. Each must be one that an
// orchestrator accepts.
func (b *bench) answers(id saga.ID) []answer {
	return answersOf(b.t, b.DB, id)
}

func answersOf(t *testing.T, db *pgxpool.Pool, id saga.ID) (all []answer) {
	t.Helper()
	rows, err := db.Query(t.Context(), `SELECT event_id, type, exchange, routing_key, content_type, headers, payload::text
		FROM outbox WHERE aggregate_id = $1 ORDER BY id`, uuid.UUID(id))
	require.NoError(t, err)
	all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (answer, error) {
		var a answer
		var d inbox.Delivery
		var body string
		if err := row.Scan(&a.ID, &d.Type, &d.Exchange, &d.RoutingKey, &d.ContentType, &d.Headers, &body); err != nil {
			return a, err
		}
		d.MessageID, d.Body = a.ID.String(), []byte(body)
		require.Empty(t, d.Exchange)
		require.Equal(t, protocol.ReplyQueue("trips"), d.RoutingKey)
		got, reply, err := protocol.DecodeReply(d)
		require.NoError(t, err)
		require.Equal(t, id, got)
		a.Reply = reply
		return a, nil
	})
	require.NoError(t, err)
	return all
}

func (b *bench) text(query string, args ...any) (s string) {
	b.t.Helper()
	require.NoError(b.t, b.DB.QueryRow(b.t.Context(), query, args...).Scan(&s))
	return s
}

func (b *bench) effects(id saga.ID) string {
	return b.text(`SELECT coalesce(string_agg(op, ' ' ORDER BY id), '') FROM effect WHERE saga = $1`, uuid.UUID(id))
}

// state is what the barrier says of the saga's steps, empty where it knows of none.
func (b *bench) state(id saga.ID) string {
	return b.text(`SELECT coalesce(string_agg(state, ' ' ORDER BY step), '') FROM saga_barrier WHERE saga_id = $1`, uuid.UUID(id))
}

func newSaga() saga.ID { return saga.ID(uuid.Must(uuid.NewV7())) }
