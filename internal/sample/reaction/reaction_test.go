package reaction_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/sample/hotel"
	"go.example/saga/internal/sample/payment"
	"go.example/saga/internal/sample/reaction"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// fact is what the broker delivers.
func fact(t *testing.T, id uuid.UUID, of reaction.Of, card string, room int) inbox.Delivery {
	t.Helper()
	m, err := protocol.FactMessage(protocol.Fact{
		MessageID: uuid.New(), Type: of.Fact, Service: of.Service, Subject: "r-1", SagaID: saga.ID(id),
		Payload: jsonmap.JSONMap{
			"hotelId": 1, "roomId": room, "startDate": "2027-01-10", "endDate": "2027-01-12", "paymentDue": 100,
			"cardToken": "tok_" + id.String(), "cardLast4": card,
		},
	})
	require.NoError(t, err)
	return inbox.Delivery{
		MessageID: m.ID.String(), Type: m.Type, CorrelationID: m.CorrelationID, ContentType: m.ContentType, Body: m.Payload,
		Headers: m.Headers, Timestamp: time.Now(),
	}
}

// react handles the facts, each in a transaction, and returns what was published.
func react(t *testing.T, db *pgxpool.Pool, part reaction.Reaction, ds ...inbox.Delivery) string {
	t.Helper()
	for _, d := range ds {
		require.NoError(t, pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error { return part.Handler("here")(t.Context(), tx, d) }))
	}
	var told []string
	require.NoError(t, db.QueryRow(t.Context(), `SELECT coalesce(array_agg(routing_key ORDER BY id), '{}') FROM outbox WHERE exchange = 'saga.events'`).Scan(&told))
	return strings.Join(told, " ")
}

func TestTheHotel(t *testing.T) {
	t.Parallel()
	part := hotel.Reaction("")
	for name, c := range map[string]struct {
		room  int
		facts []reaction.Of
		told  string
		state string // of the booking
	}{
		"booked":              {1, []reaction.Of{part.Does}, "here.room.booked", "ACTIVE"},
		"booked and released": {1, []reaction.Of{part.Does, part.Undoes}, "here.room.booked here.room.released", "RELEASED"},
		"released first":      {1, []reaction.Of{part.Undoes, part.Does}, "here.room.released", ""},
		"refused":             {2, []reaction.Of{part.Does}, "here.room.refused", ""},
		"refused and undone":  {2, []reaction.Of{part.Does, part.Undoes}, "here.room.refused here.room.released", ""},
		"asked once more":     {1, []reaction.Of{part.Does, part.Does}, "here.room.booked", "ACTIVE"},
		"after its release":   {1, []reaction.Of{part.Does, part.Undoes, part.Does}, "here.room.booked here.room.released", "RELEASED"},
	} {
		db := testenv.Database(t, sagasql.Outbox, sagasql.Inbox, sagasql.Participant, sagasql.Hotel)
		id := uuid.Must(uuid.NewV7())
		var ds []inbox.Delivery
		for _, of := range c.facts {
			ds = append(ds, fact(t, id, of, "1111", c.room))
		}
		require.Equal(t, c.told, react(t, db, part, ds...), name)
		var state string
		require.NoError(t, db.QueryRow(t.Context(), `SELECT coalesce(max(state), '') FROM booking WHERE saga_id = $1`, id).Scan(&state))
		require.Equal(t, c.state, state, name)
	}
}

func TestThePayment(t *testing.T) {
	t.Parallel()
	part := payment.Reaction("")
	for name, c := range map[string]struct {
		card  string
		facts []reaction.Of
		told  string
		moved int // rows of the ledger
	}{
		"captured":             {"1111", []reaction.Of{part.Does}, "here.payment.captured", 1},
		"given back":           {"1111", []reaction.Of{part.Does, part.Undoes}, "here.payment.captured here.payment.voided", 2},
		"refused first":        {"1111", []reaction.Of{part.Undoes, part.Does}, "here.payment.voided", 0},
		"declined":             {"9999", []reaction.Of{part.Does}, "here.payment.declined", 0},
		"both say no":          {"9999", []reaction.Of{part.Does, part.Undoes}, "here.payment.declined here.payment.voided", 0},
		"taken back two times": {"1111", []reaction.Of{part.Does, part.Undoes, part.Undoes}, "here.payment.captured here.payment.voided here.payment.voided", 2},
	} {
		db := testenv.Database(t, sagasql.Outbox, sagasql.Inbox, sagasql.Participant, sagasql.Payment)
		id := uuid.Must(uuid.NewV7())
		var ds []inbox.Delivery
		for _, of := range c.facts {
			ds = append(ds, fact(t, id, of, c.card, 1))
		}
		require.Equal(t, c.told, react(t, db, part, ds...), name)
		var moved int
		require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM ledger WHERE saga_id = $1`, id).Scan(&moved))
		require.Equal(t, c.moved, moved, name)
	}
}

// What is nobody's fact, or about what is forgotten, is set aside and does nothing.
func TestWhatIsSetAside(t *testing.T) {
	t.Parallel()
	part := hotel.Reaction("")
	db := testenv.Database(t, sagasql.Outbox, sagasql.Inbox, sagasql.Participant, sagasql.Hotel)
	old := uuid.Must(uuid.NewV7())
	_, err := db.Exec(t.Context(), `UPDATE saga_barrier_watermark SET forgotten_to = $1`, old)
	require.NoError(t, err)
	broken := fact(t, uuid.New(), part.Does, "1111", 1)
	broken.CorrelationID = "7"
	for want, d := range map[string]inbox.Delivery{
		`set aside: nothing is done here after "room.painted" of "hotel"`:           fact(t, uuid.New(), reaction.Of{Service: "hotel", Fact: "room.painted"}, "1111", 1),
		"set aside: it is so old that what was done is forgotten here":              fact(t, old, part.Does, "1111", 1),
		"set aside: correlation_id: is not a UUID in its canonical lower-case form": broken,
	} {
		err := pgx.BeginFunc(context.Background(), db, func(tx pgx.Tx) error { return part.Handler("here")(t.Context(), tx, d) })
		require.EqualError(t, err, want)
	}
	undo := fact(t, old, part.Undoes, "1111", 1)
	err = pgx.BeginFunc(context.Background(), db, func(tx pgx.Tx) error { return part.Handler("here")(t.Context(), tx, undo) })
	require.ErrorContains(t, err, "forgotten here")
	require.Empty(t, react(t, db, part))
	require.True(t, slices.Equal([]string{"reservation.reservation.placed", "payment.payment.declined"}, part.Keys()))
}

// Its tables may lie in a schema of their own.
func TestAPartInASchema(t *testing.T) {
	t.Parallel()
	db, part := testenv.Database(t), hotel.Reaction("rooms")
	require.NoError(t, sagasql.Up(t.Context(), db.Config().ConnString(), "rooms", sagasql.Outbox, sagasql.Inbox, sagasql.Participant, sagasql.Hotel))
	id := uuid.Must(uuid.NewV7())
	for _, of := range []reaction.Of{part.Does, part.Undoes} {
		require.NoError(t, pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
			return part.Handler("here")(t.Context(), tx, fact(t, id, of, "1111", 1))
		}))
	}
	var state string
	var told []string
	require.NoError(t, db.QueryRow(t.Context(), `SELECT (SELECT state FROM rooms.booking WHERE saga_id = $1),
		(SELECT array_agg(routing_key ORDER BY id) FROM rooms.outbox)`, id).Scan(&state, &told))
	require.Equal(t, "RELEASED", state)
	require.Equal(t, []string{"here.room.booked", "here.room.released"}, told)
}
