package payment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/internal/sample/lookup"
)

// Thing is what the payment service holds for a saga, in the path of its interface.
const Thing = "payment"

// Payment is what a saga paid, as the service shows it. Amounts are in minor units (cents).
type Payment struct {
	ChargeID   string     `json:"chargeId" format:"uuid"`
	Charged    int64      `json:"charged" doc:"Minor units (cents)."`
	Refunded   int64      `json:"refunded" doc:"Minor units (cents): all that was charged, or 0."`
	CardLast4  string     `json:"cardLast4" doc:"The last four digits of the card."`
	ChargedAt  time.Time  `json:"chargedAt"`
	RefundedAt *time.Time `json:"refundedAt,omitempty"`
}

// Handler serves the payments in the database, each under the id of its saga.
func Handler(db *pgxpool.Pool, schema string, log *zap.Logger) http.Handler {
	return lookup.Interface[Payment]{
		Title: "Payment", Thing: Thing, Log: log,
		Get: func(ctx context.Context, saga uuid.UUID) (Payment, error) {
			return tables{schema}.paymentOf(ctx, db, saga)
		},
	}.Handler()
}

func (t tables) paymentOf(ctx context.Context, db *pgxpool.Pool, saga uuid.UUID) (Payment, error) {
	var p Payment
	err := db.QueryRow(ctx, t.query("of_saga.sql"), saga).
		Scan(&p.ChargeID, &p.Charged, &p.Refunded, &p.CardLast4, &p.ChargedAt, &p.RefundedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Payment{}, lookup.ErrNone
	}
	if err != nil {
		return Payment{}, fmt.Errorf("read the payment of saga %s: %w", saga, err)
	}
	return p, nil
}
