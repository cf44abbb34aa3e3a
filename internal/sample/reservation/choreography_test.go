package reservation_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/sample/reservation"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// told is a fact as the broker delivers it.
func told(id saga.ID, name, reason string) inbox.Delivery {
	body := `{}`
	if reason != "" {
		body = `{"reason": "` + reason + `"}`
	}
	return inbox.Delivery{
		MessageID: uuid.NewString(), CorrelationID: uuid.UUID(id).String(), Type: name, ContentType: "application/json", Body: []byte(body),
		Headers: map[string]string{protocol.HeaderService: "hotel", protocol.HeaderSubject: "1"},
	}
}

// Without an orchestrator a reservation succeeds when both have said yes, in whatever order
// and however often, and fails with the first no.
func TestWithoutAnOrchestrator(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, sagasql.Outbox, sagasql.Saga, sagasql.Inbox, sagasql.Reservation)
	service := reservation.NewService(db, "", testenv.Service)
	service.WithoutOrchestrator()
	hear := func(d inbox.Delivery) error {
		return pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error { return service.Hear(t.Context(), tx, d) })
	}
	for name, c := range map[string]struct {
		facts  string
		status reservation.Status
		reason string
	}{
		"one yes":           {"room.booked", reservation.Pending, ""},
		"the same twice":    {"room.booked room.booked", reservation.Pending, ""},
		"both":              {"room.booked payment.captured", reservation.Succeed, ""},
		"the other way":     {"payment.captured payment.captured room.booked room.booked", reservation.Succeed, ""},
		"refused":           {"room.refused", reservation.Failed, "no room"},
		"yes and no":        {"payment.captured room.refused", reservation.Failed, "no room"},
		"no and yes":        {"payment.declined room.booked", reservation.Failed, "no room"},
		"both say no":       {"payment.declined room.refused", reservation.Failed, "no room"},
		"no without reason": {"payment.declined!", reservation.Failed, "payment.declined"},
	} {
		id, sagaID := placed(t, db, service)
		for word := range strings.FieldsSeq(c.facts) {
			fact, silent := strings.CutSuffix(word, "!")
			reason := ""
			if !silent {
				reason = "no room"
			}
			require.NoError(t, hear(told(sagaID, fact, reason)), name)
		}
		r, err := service.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, c.status, r.Status, name)
		require.Equal(t, c.reason, r.FailureReason, name)
		var published []string
		require.NoError(t, db.QueryRow(t.Context(), `SELECT array_agg(routing_key ORDER BY id) FROM outbox WHERE correlation_id = $1`, uuid.UUID(sagaID).String()).Scan(&published))
		want := []string{"trips.reservation.placed"}
		if c.status == reservation.Succeed {
			want = append(want, "trips.reservation.confirmed")
		}
		require.Equal(t, want, published, name)
	}
	require.EqualError(t, hear(told(saga.ID(uuid.New()), "room.booked", "")), "set aside: no reservation belongs to it")
	require.EqualError(t, hear(told(saga.ID(uuid.New()), "room.painted", "")), `set aside: "room.painted" decides nothing about a reservation`)
	require.ErrorContains(t, hear(inbox.Delivery{}), "set aside: message_id: is missing")
	var sagas int
	require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM saga`).Scan(&sagas))
	require.Zero(t, sagas)
}
