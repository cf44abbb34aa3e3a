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

// Step charges and refunds cards.
func Step() participant.Step {
	return participant.Step{Request: charge, Cancel: refund}
}

// charge takes the amount and returns {chargeId}.
func charge(ctx context.Context, tx pgx.Tx, cmd participant.Command) (jsonmap.JSONMap, error) {
	b, err := billOf(cmd.Payload)
	if err != nil {
		return nil, participant.Refuse(problem("unusable-request", "The request cannot be read", err.Error()))
	}
	if b.CardLast4 == declined {
		return nil, participant.Refuse(problem("card-declined", "Card declined", "card declined"))
	}
	var id uuid.UUID
	err = tx.QueryRow(ctx, queries.charge, uuid.UUID(cmd.SagaID), b.PaymentDue, b.CardToken, b.CardLast4).Scan(&id)
	if err != nil {
		return nil, fmt.Errorf("charge the card: %w", err)
	}
	return jsonmap.JSONMap{"chargeId": id.String()}, nil
}

// refund gives back what this saga was charged, if anything.
func refund(ctx context.Context, tx pgx.Tx, cmd participant.Command) error {
	if _, err := tx.Exec(ctx, queries.refund, uuid.UUID(cmd.SagaID)); err != nil {
		return fmt.Errorf("refund the charge: %w", err)
	}
	return nil
}

func problem(kind, title, detail string) saga.Problem {
	return saga.Problem{Type: "urn:problem:payment:" + kind, Title: title, Detail: detail}
}

var queries = struct{ charge, refund string }{
	charge: sagasql.Query("", "payment/charge.sql"),
	refund: sagasql.Query("", "payment/refund.sql"),
}
