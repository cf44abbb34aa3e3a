package sample_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app"
	"go.example/saga/internal/app/sample"
	"go.example/saga/internal/sample/hotel"
	"go.example/saga/internal/sample/reservation"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

// The table refuses the event of one saga: it is set aside while others go on, and when the
// table is mended the reservation gets its end, without a restart and without anybody.
func TestAReservationCatchesUpByItself(t *testing.T) {
	t.Parallel()
	db, vhost := testenv.Database(t, sagasql.Outbox, sagasql.Saga, sagasql.Inbox, sagasql.Reservation), testenv.Vhost(t)
	ctx := context.Background()
	policy := saga.Policy{Timeout: time.Second, RetryFor: time.Minute, Retry: saga.Retry{Initial: time.Second, Factor: 2, Max: time.Minute, Attempts: 3}}
	_, err := sagapg.New("", testenv.Service).ApplyDefinition(ctx, db, saga.Definition{
		Name: reservation.SagaType, Version: 1, Mode: saga.Sequence,
		Steps: []saga.StepDefinition{{Name: hotel.StepName, Kind: saga.Command, Type: saga.Compensatable, Destination: hotel.StepName, Request: policy, Cancel: policy}},
	})
	require.NoError(t, err)
	service := reservation.NewService(db, "", testenv.Service)
	_, err = service.LoadDefinition(ctx)
	require.NoError(t, err)
	card, err := reservation.ParseCardNumber("************7999")
	require.NoError(t, err)
	place := func(guest string) (id saga.ID) {
		placed, err := service.Place(ctx, reservation.Request{HotelID: 1, RoomID: 1, GuestID: guest, Start: time.Unix(0, 0), End: time.Unix(86400, 0), Card: card}, "")
		require.NoError(t, err)
		require.NoError(t, db.QueryRow(ctx, `SELECT saga_id FROM reservation WHERE id = $1`, placed.ID).Scan((*uuid.UUID)(&id)))
		return id
	}
	tell := func(id saga.ID, kind saga.EventKind, status saga.Status) {
		m, err := protocol.EventMessage(testenv.Service, saga.State{ID: id, Type: reservation.SagaType, Status: status}, saga.EmitEvent{Kind: kind})
		require.NoError(t, err)
		publish(t, vhost, m)
	}
	holds := func(what, where string) {
		t.Helper()
		eventually(t, what, func() bool {
			var yes bool
			return db.QueryRow(ctx, "SELECT "+where).Scan(&yes) == nil && yes
		})
	}
	// As in a half-done migration: what was completed for one guest cannot be stored (23514).
	_, err = db.Exec(ctx, `ALTER TABLE reservation ADD CONSTRAINT broken CHECK (guest_id <> 'unlucky' OR status = 'PENDING')`)
	require.NoError(t, err)
	s := sample.DefaultReservationSettings()
	s.Settings, s.ListenAddr, s.Patience = settings(t, db, vhost), freeAddr(t), 100*time.Millisecond
	daemon(t, func(ctx context.Context) error { return sample.ServeReservation(ctx, s) })
	eventually(t, "it listens", func() bool { return app.CheckHealth(ctx, s.HealthAddr) == nil })
	unlucky := place("unlucky")
	tell(unlucky, saga.EventCompleted, saga.StatusCompleted)
	for others := 0; ; others++ { // the others go on
		tell(place("lucky"), saga.EventCompleted, saga.StatusCompleted)
		var aside bool
		require.NoError(t, db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM inbox_quarantine)`).Scan(&aside))
		if aside {
			break
		}
		require.Less(t, others, 200)
	}
	holds("set aside", `EXISTS (SELECT FROM inbox_quarantine WHERE state = 'held' AND reason LIKE '%23514%')`)
	holds("nobody else is", `NOT EXISTS (SELECT FROM reservation WHERE guest_id = 'lucky' AND status = 'PENDING')`)
	tell(unlucky, saga.EventParked, saga.StatusParked) // another event of its saga is handled before
	_, err = db.Exec(ctx, `UPDATE inbox_quarantine SET retry_at = now()`)
	require.NoError(t, err)
	holds("it fails again", `(SELECT state = 'held' AND tries = 1 FROM inbox_quarantine)`)
	_, err = db.Exec(ctx, `ALTER TABLE reservation DROP CONSTRAINT broken`)
	require.NoError(t, err)
	_, err = db.Exec(ctx, `UPDATE inbox_quarantine SET retry_at = now()`)
	require.NoError(t, err)
	holds("the end is known", `(SELECT status = 'SUCCEED' FROM reservation WHERE guest_id = 'unlucky')`)
	holds("it is handled", `(SELECT state = 'retried' AND tries = 2 AND handled_by = 'itself' FROM inbox_quarantine)`)
}
