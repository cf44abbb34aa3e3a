package reservation_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"go.example/saga/internal/sample/reservation"
	"go.example/saga/internal/sample/sampletest"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func setup(t *testing.T) (*pgxpool.Pool, *reservation.Service) {
	t.Helper()
	ctx := context.Background()
	db := testenv.Database(t, sagasql.Outbox, sagasql.Saga, sagasql.Inbox, sagasql.Reservation)
	text, err := os.ReadFile("../../../deploy/room-reservation.yaml")
	require.NoError(t, err)
	def, err := sagayaml.Parse(text)
	require.NoError(t, err)
	_, err = sagapg.New("", testenv.Service).ApplyDefinition(ctx, db, def)
	require.NoError(t, err)
	service := reservation.NewService(db, "", testenv.Service)
	_, err = service.LoadDefinition(ctx)
	require.NoError(t, err)
	return db, service
}

// placed is a new reservation and its saga.
func placed(t *testing.T, db *pgxpool.Pool, service *reservation.Service) (id uuid.UUID, sagaID saga.ID) {
	t.Helper()
	card, err := reservation.ParseCardNumber("************7999")
	require.NoError(t, err)
	ctx := context.Background()
	r, err := service.Place(ctx, reservation.Request{
		HotelID: 1, RoomID: 1, GuestID: "g1", PaymentDue: 1, Card: card,
		Start: time.Date(2027, 1, 10, 0, 0, 0, 0, time.UTC), End: time.Date(2027, 1, 12, 0, 0, 0, 0, time.UTC),
	}, "")
	require.NoError(t, err)
	var found uuid.UUID
	require.NoError(t, db.QueryRow(ctx, `SELECT saga_id FROM reservation WHERE id = $1`, r.ID).Scan(&found))
	return r.ID, saga.ID(found)
}

func event(t *testing.T, id saga.ID, sagaType string, kind saga.EventKind, failure *saga.Failure) inbox.Delivery {
	t.Helper()
	status := map[saga.EventKind]saga.Status{
		saga.EventCompleted: saga.StatusCompleted, saga.EventAborted: saga.StatusAborted,
		saga.EventParked: saga.StatusParked, saga.EventKilled: saga.StatusKilled,
	}[kind]
	m, err := protocol.EventMessage(testenv.Service, saga.State{ID: id, Type: sagaType, Status: status, Failure: failure}, saga.EmitEvent{Kind: kind})
	require.NoError(t, err)
	return sampletest.Delivery(m)
}

func hear(t *testing.T, db *pgxpool.Pool, service *reservation.Service, deliveries ...inbox.Delivery) (rejected []inbox.Rejection) {
	t.Helper()
	ctx := context.Background()
	require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) (err error) {
		rejected, err = service.Listen(zap.NewNop())(ctx, tx, deliveries)
		return err
	}))
	return rejected
}

func TestTheEventEndsTheReservation(t *testing.T) {
	t.Parallel()
	db, service := setup(t)
	refused := func(class saga.FailureClass, title, detail string) *saga.Failure {
		return &saga.Failure{Step: "payment", Class: class, Problem: saga.Problem{Title: title, Detail: detail}}
	}
	for name, c := range map[string]struct {
		kind    saga.EventKind
		failure *saga.Failure
		status  reservation.Status
		reason  string
	}{
		"completed":  {saga.EventCompleted, nil, reservation.Succeed, ""},
		"refused":    {saga.EventAborted, refused(saga.FailureRefused, "Card declined", "card declined"), reservation.Failed, "card declined"},
		"title only": {saga.EventAborted, refused(saga.FailureRefused, "Card declined", ""), reservation.Failed, "Card declined"},
		"no words":   {saga.EventAborted, refused(saga.FailureRefused, "", ""), reservation.Failed, "payment was refused"},
		"unknown":    {saga.EventAborted, refused(saga.FailureUnknown, "x", "y"), reservation.Failed, "no answer from payment in time"},
		"broken":     {saga.EventAborted, refused(saga.FailureUnavailable, "x", "y"), reservation.Failed, "payment is not available"},
		"operator":   {saga.EventAborted, refused(saga.FailureAborted, "", ""), reservation.Failed, "called off by the hotel's staff"},
		"no failure": {saga.EventAborted, nil, reservation.Failed, "the reservation was undone"},
		"deadline":   {saga.EventAborted, refused(saga.FailureDeadline, "", ""), reservation.Failed, "it took too long"},
		"killed":     {saga.EventKilled, nil, reservation.Failed, "ended by the hotel's staff"},
		"parked":     {saga.EventParked, nil, reservation.Pending, ""},
	} {
		id, sagaID := placed(t, db, service)
		e := event(t, sagaID, reservation.SagaType, c.kind, c.failure)
		require.Empty(t, hear(t, db, service, e, e), name)
		require.Empty(t, hear(t, db, service, e), name)
		r, err := service.Get(context.Background(), id)
		require.NoError(t, err)
		require.Equal(t, c.status, r.Status, name)
		require.Equal(t, c.reason, r.FailureReason, name)
	}
}

// What ended stays ended, whatever comes afterwards.
func TestAnEndIsFinal(t *testing.T) {
	t.Parallel()
	db, service := setup(t)
	id, sagaID := placed(t, db, service)
	other, _ := placed(t, db, service)
	require.Empty(t, hear(t, db, service, event(t, sagaID, reservation.SagaType, saga.EventCompleted, nil)))
	require.Empty(t, hear(t, db, service, event(t, sagaID, reservation.SagaType, saga.EventAborted, nil)))
	r, err := service.Get(context.Background(), id)
	require.NoError(t, err)
	require.Equal(t, reservation.Succeed, r.Status)
	r, err = service.Get(context.Background(), other)
	require.NoError(t, err)
	require.Equal(t, reservation.Pending, r.Status, "another saga's end is not this reservation's")
}

// All events of a batch are one statement, and each has its own effect.
func TestABatchOfEvents(t *testing.T) {
	t.Parallel()
	db, service := setup(t)
	var ids []uuid.UUID
	var events []protocol.Event
	for _, kinds := range [][]saga.EventKind{
		{saga.EventCompleted, saga.EventAborted},
		{saga.EventParked, saga.EventKilled},
		{saga.EventParked},
		{saga.EventAborted, saga.EventCompleted},
		{saga.EventCompleted, saga.EventParked}, // that comes late
	} {
		id, sagaID := placed(t, db, service)
		ids = append(ids, id)
		for _, kind := range kinds {
			events = append(events, protocol.Event{SagaID: sagaID, Kind: kind})
		}
	}
	events = append(events, protocol.Event{SagaID: saga.ID(uuid.New()), Kind: saga.EventKilled})
	finish := func() (ended []reservation.Ended) {
		require.NoError(t, pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) (err error) {
			ended, err = service.Finish(t.Context(), tx, events...)
			return err
		}))
		return ended
	}
	const moved, known, undecided, foreign = reservation.Moved, reservation.Known, reservation.Undecided, reservation.Foreign
	require.Equal(t, []reservation.Ended{moved, known, undecided, moved, undecided, moved, known, moved, undecided, foreign}, finish())
	require.Equal(t, []reservation.Ended{known, known, undecided, known, undecided, known, known, known, undecided, foreign}, finish())
	var got []string
	for _, id := range ids {
		r, err := service.Get(t.Context(), id)
		require.NoError(t, err)
		got = append(got, string(r.Status)+" "+r.FailureReason)
	}
	require.Equal(t, []string{"SUCCEED ", "FAILED ended by the hotel's staff", "PENDING ", "FAILED the reservation was undone", "SUCCEED "}, got)
}

func TestForeignEventsAreSetAside(t *testing.T) {
	t.Parallel()
	db, service := setup(t)
	_, sagaID := placed(t, db, service)
	rejected := hear(t, db, service,
		event(t, saga.ID(uuid.New()), reservation.SagaType, saga.EventCompleted, nil),
		event(t, sagaID, reservation.SagaType, saga.EventCompleted, nil),
		event(t, sagaID, "other-saga", saga.EventCompleted, nil),
		inbox.Delivery{Body: []byte(`{}`)},
	)
	var indexes []int
	for _, r := range rejected {
		require.NotEmpty(t, r.Reason)
		indexes = append(indexes, r.Index)
	}
	require.ElementsMatch(t, []int{0, 2, 3}, indexes)
}

func TestCardNumberHasNoRoomForTheNumber(t *testing.T) {
	t.Parallel()
	const number = "4929000011117999"
	card, err := reservation.ParseCardNumber(number)
	require.NoError(t, err)
	require.Equal(t, "7999", card.LastFour())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		require.NotContains(t, fmt.Sprintf(verb, card), number[:12])
	}
	for _, wrong := range []string{"", "7999", number + "x", " " + number, number + number, "***7999", "************799x", number + "\n"} {
		_, err := reservation.ParseCardNumber(wrong)
		require.Error(t, err, "%q", wrong)
		require.NotContains(t, err.Error(), number)
	}
}

// What the database refuses for one reservation keeps no other from its end, wherever it
// stands among them, and is left for the next time.
func TestCatchUpLeavesOutWhatIsRefused(t *testing.T) {
	db, service := setup(t)
	ctx := t.Context()
	var ids []uuid.UUID
	for range 5 {
		id, _ := placed(t, db, service)
		ids = append(ids, id)
	}
	_, err := db.Exec(ctx, `UPDATE saga SET status = 'KILLED', version = version + 1, ended_at = now(), waiting = '{}', current_step = NULL, wake_at = NULL, look_at = NULL`)
	require.NoError(t, err)
	_, err = db.Exec(ctx, fmt.Sprintf(`ALTER TABLE reservation ADD CONSTRAINT broken CHECK (id <> '%s' OR status = 'PENDING')`, ids[1]))
	require.NoError(t, err)

	err = service.CatchUp(ctx)
	var left *reservation.LeftError
	require.ErrorAs(t, err, &left)
	require.Equal(t, 1, left.Sagas)
	require.ErrorContains(t, err, "23514")
	var pending []uuid.UUID
	require.NoError(t, db.QueryRow(ctx, `SELECT array_agg(id) FROM reservation WHERE status = 'PENDING'`).Scan(&pending))
	require.Equal(t, ids[1:2], pending)

	_, err = db.Exec(ctx, `ALTER TABLE reservation DROP CONSTRAINT broken`)
	require.NoError(t, err)
	require.NoError(t, service.CatchUp(ctx))
	require.NoError(t, db.QueryRow(ctx, `SELECT array_agg(id) FROM reservation WHERE status = 'PENDING'`).Scan(&pending))
	require.Empty(t, pending)
}
