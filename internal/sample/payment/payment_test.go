package payment_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/sample/payment"
	"go.example/saga/internal/sample/sampletest"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const token = "tok_00000000-0000-4000-8000-000000000001"

func bill(lastFour string, amount any) jsonmap.JSONMap {
	return jsonmap.JSONMap{"paymentDue": amount, "cardToken": token, "cardLast4": lastFour}
}

type move struct {
	Kind   string
	Amount int64
}

func ledger(t testing.TB, db *pgxpool.Pool, id uuid.UUID) []move {
	t.Helper()
	rows, _ := db.Query(context.Background(), `SELECT kind, amount FROM ledger WHERE saga_id = $1 ORDER BY kind`, id)
	moves, err := pgx.CollectRows(rows, pgx.RowToStructByPos[move])
	require.NoError(t, err)
	return moves
}

func TestThroughTheBarrier(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Outbox, sagasql.Inbox, sagasql.Participant, sagasql.Payment)
	service := sampletest.Start(t, db, payment.StepName, payment.Step(""))
	bystander := uuid.New()
	service.Ask(t, bystander, saga.Request, 1, bill("1111", 7))
	id := uuid.New()
	charged := service.Ask(t, id, saga.Request, 1, bill("7999", 49900))
	require.Equal(t, saga.OutcomeSucceeded, charged.Outcome)
	require.NotEmpty(t, charged.Body["chargeId"])
	require.Equal(t, charged, service.Ask(t, id, saga.Request, 2, bill("7999", 49900)), "asked twice, charged once")
	require.Equal(t, []move{{"CHARGE", 49900}}, ledger(t, db, id))

	require.Equal(t, saga.OutcomeCompensated, service.Ask(t, id, saga.Cancel, 1, bill("7999", 49900)).Outcome)
	require.Equal(t, saga.OutcomeCompensated, service.Ask(t, id, saga.Cancel, 2, bill("7999", 49900)).Outcome)
	require.Equal(t, []move{{"CHARGE", 49900}, {"REFUND", 49900}}, ledger(t, db, id))
	require.Equal(t, []move{{"CHARGE", 7}}, ledger(t, db, bystander), "a refund is its own saga's")
	var net int64
	require.NoError(t, db.QueryRow(context.Background(), `SELECT net FROM ledger_net WHERE saga_id = $1`, id).Scan(&net))
	require.Zero(t, net)

	declined := uuid.New()
	no := service.Ask(t, declined, saga.Request, 1, bill("9999", 49900))
	require.Equal(t, saga.OutcomeFailed, no.Outcome)
	require.Equal(t, "card declined", no.Body["detail"])
	require.Equal(t, saga.OutcomeCompensated, service.Ask(t, declined, saga.Cancel, 1, bill("9999", 49900)).Outcome)
	require.Empty(t, ledger(t, db, declined), "no charge, no refund")

	late := uuid.New()
	service.Ask(t, late, saga.Cancel, 1, bill("7999", 1))
	service.Ask(t, late, saga.Request, 1, bill("7999", 1))
	require.Empty(t, ledger(t, db, late), "a request after its cancel charges nothing")
}

func TestUnusableBills(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Outbox, sagasql.Inbox, sagasql.Participant, sagasql.Payment)
	service := sampletest.Start(t, db, payment.StepName, payment.Step(""))
	for name, payload := range map[string]jsonmap.JSONMap{
		"negative":       bill("7999", -1),
		"text":           bill("7999", "49900"),
		"fraction":       bill("7999", 0.5),
		"no card":        {"paymentDue": 1},
		"number as card": {"paymentDue": 1, "cardToken": "4929000011117999", "cardLast4": "7999"},
		"long last four": bill("4929000011117999", 1),
	} {
		id := uuid.New()
		no := service.Ask(t, id, saga.Request, 1, payload)
		require.Equal(t, saga.OutcomeFailed, no.Outcome, name)
		require.NotContains(t, no.Body["detail"], "4929", name)
		require.Empty(t, ledger(t, db, id), name)
	}
}

// Each command of a batch has its own answer.
func TestABatch(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Payment)
	ctx := context.Background()
	var cmds []participant.Command
	for n, payload := range []jsonmap.JSONMap{bill("7999", 1), bill("9999", 2), bill("7999", 3), {}, bill("7999", 5)} {
		id := uuid.UUID{15: byte(9 - n)}
		cmds = append(cmds, participant.Command{SagaID: saga.ID(id), Payload: payload})
	}
	require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		results, err := payment.Step("").RequestAll(ctx, tx, cmds)
		require.NoError(t, err)
		for i, no := range []string{"", "refused: Card declined", "", "refused: The request cannot be read", ""} {
			if no != "" {
				require.EqualError(t, results[i].Err, no)
				continue
			}
			var holder uuid.UUID
			require.NoError(t, tx.QueryRow(ctx, `SELECT saga_id FROM ledger WHERE id = $1 AND amount = $2`, results[i].Output["chargeId"], i+1).Scan(&holder))
			require.Equal(t, uuid.UUID(cmds[i].SagaID), holder)
		}
		_, err = payment.Step("").CancelAll(ctx, tx, cmds[:4])
		return err
	}))
	for i, moves := range [][]move{{{"CHARGE", 1}, {"REFUND", 1}}, {}, {{"CHARGE", 3}, {"REFUND", 3}}, {}, {{"CHARGE", 5}}} {
		require.Equal(t, moves, append([]move{}, ledger(t, db, uuid.UUID(cmds[i].SagaID))...))
	}
}

// What holds even if the barrier did not.
func TestLedgerKeepsItself(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Payment)
	ctx := context.Background()
	cmd := participant.Command{SagaID: saga.ID(uuid.New()), Payload: bill("7999", 100)}
	charge := func() error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			_, err := payment.Step("").RequestAll(ctx, tx, []participant.Command{cmd})
			return err
		})
	}
	refund := func() error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			_, err := payment.Step("").CancelAll(ctx, tx, []participant.Command{cmd})
			return err
		})
	}
	id := uuid.UUID(cmd.SagaID)
	require.NoError(t, refund(), "nothing to give back")
	require.Empty(t, ledger(t, db, id))
	require.NoError(t, charge())
	require.ErrorContains(t, charge(), "ledger_once_per_saga")
	require.NoError(t, refund())
	require.NoError(t, refund())
	require.Equal(t, []move{{"CHARGE", 100}, {"REFUND", 100}}, ledger(t, db, id))

	for _, statement := range []string{`UPDATE ledger SET amount = 0`, `DELETE FROM ledger`, `TRUNCATE ledger`} {
		_, err := db.Exec(ctx, statement)
		var pg *pgconn.PgError
		require.ErrorAs(t, err, &pg, statement)
		require.Contains(t, pg.Message, "append-only")
	}
}
