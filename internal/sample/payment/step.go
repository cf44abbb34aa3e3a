package payment

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// StepName is the step of the saga that this service carries out.
const StepName = "payment"

// declined are the last four digits of the card that has no money.
const declined = "9999"

// Step charges and refunds cards, for all commands of a batch at once.
func Step(schema string) participant.Step {
	t := tables{schema}
	return participant.Step{RequestAll: t.charge, CancelAll: t.refund}
}

// charge takes the amounts and returns {chargeId} for each.
func (t tables) charge(ctx context.Context, tx pgx.Tx, cmds []participant.Command) ([]participant.Result, error) {
	results := make([]participant.Result, len(cmds))
	var sagas [][16]byte
	var amounts []int64
	var tokens, lastFours []string
	places := map[[16]byte]int{}
	for i, cmd := range cmds {
		b, err := billOf(cmd.Payload)
		switch {
		case err != nil:
			results[i].Err = participant.Refuse(problem("unusable-request", "The request cannot be read", err.Error()))
			continue
		case b.cardLast4 == declined:
			results[i].Err = participant.Refuse(problem("card-declined", "Card declined", "card declined"))
			continue
		}
		sagas, amounts = append(sagas, cmd.SagaID), append(amounts, b.paymentDue)
		tokens, lastFours = append(tokens, b.cardToken), append(lastFours, b.cardLast4)
		places[cmd.SagaID] = i
	}
	if len(sagas) == 0 {
		return results, nil
	}
	rows, err := tx.Query(ctx, t.query("charge.sql"), sagas, amounts, tokens, lastFours)
	if err != nil {
		return nil, fmt.Errorf("charge %d cards: %w", len(sagas), err)
	}
	var sagaID, id [16]byte
	_, err = pgx.ForEachRow(rows, []any{&sagaID, &id}, func() error {
		results[places[sagaID]].Output = jsonmap.JSONMap{"chargeId": uuid.UUID(id).String()}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("charge %d cards: %w", len(sagas), err)
	}
	return results, nil
}

// refund gives back what these sagas were charged, if anything.
func (t tables) refund(ctx context.Context, tx pgx.Tx, cmds []participant.Command) ([]participant.Result, error) {
	sagas := make([][16]byte, len(cmds))
	for i, cmd := range cmds {
		sagas[i] = cmd.SagaID
	}
	if _, err := tx.Exec(ctx, t.query("refund.sql"), sagas); err != nil {
		return nil, fmt.Errorf("refund the charges: %w", err)
	}
	return nil, nil
}

func problem(kind, title, detail string) saga.Problem {
	return saga.Problem{Type: "urn:problem:payment:" + kind, Title: title, Detail: detail}
}

// tables are those of the service, in a schema; the empty one is public.
type tables struct{ schema string }

func (t tables) query(file string) string { return sagasql.Query(t.schema, "payment/"+file) }
