package payment_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"go.example/saga/internal/sample/lookup"
	"go.example/saga/internal/sample/payment"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

func look(db *pgxpool.Pool, saga string) *httptest.ResponseRecorder {
	res := httptest.NewRecorder()
	payment.Handler(db, "", zap.NewNop()).ServeHTTP(res, httptest.NewRequest(http.MethodGet, lookup.Path(payment.Thing, saga), http.NoBody))
	return res
}

// A payment is shown as it was charged, and as it was given back; its card's token is not.
func TestShowPayment(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Payment)
	id := uuid.New()
	require.Equal(t, http.StatusNotFound, look(db, id.String()).Code)
	cmds := []participant.Command{{SagaID: saga.ID(id), Step: payment.StepName, Payload: bill("1111", 49900)}}
	ctx := context.Background()
	require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		_, err := payment.Step("").RequestAll(ctx, tx, cmds)
		return err
	}))
	res := look(db, id.String())
	require.Equal(t, http.StatusOK, res.Code, res.Body)
	require.NotContains(t, res.Body.String(), token)
	var shown payment.Payment
	require.NoError(t, json.Unmarshal(res.Body.Bytes(), &shown))
	require.NoError(t, uuid.Validate(shown.ChargeID))
	require.Equal(t, payment.Payment{ChargeID: shown.ChargeID, Charged: 49900, CardLast4: "1111", ChargedAt: shown.ChargedAt}, shown)

	require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		_, err := payment.Step("").CancelAll(ctx, tx, cmds)
		return err
	}))
	require.NoError(t, json.Unmarshal(look(db, id.String()).Body.Bytes(), &shown))
	require.Equal(t, int64(49900), shown.Refunded)
	require.NotNil(t, shown.RefundedAt)
}
