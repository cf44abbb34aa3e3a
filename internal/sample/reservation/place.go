package reservation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// SagaType is the saga that carries out a reservation.
const SagaType = "room-reservation"

// Place stores the reservation and starts its saga in one transaction. A
// non-empty idempotency key that was used before yields the reservation of then,
// or [ErrKeyReused] if the request differs. The error is [sagapg.ErrOverloaded] while
// too many sagas run; what was placed before is found all the same. After any other
// error the same call with the same key may be repeated; without a key a repetition
// after a lost connection may place a second reservation.
func (s *Service) Place(ctx context.Context, req Request, idempotencyKey string) (Reservation, error) {
	def := s.definition.Load()
	if def == nil {
		return Reservation{}, ErrNotReady
	}
	placed, before, err := s.admit(ctx, req, idempotencyKey)
	if err == nil && !before {
		placed, err = s.place(ctx, *def, req, idempotencyKey)
	}
	if errors.Is(err, ErrKeyReused) {
		return Reservation{}, ErrKeyReused
	}
	if err != nil {
		return Reservation{}, fmt.Errorf("place a reservation: %w", err)
	}
	return placed, nil
}

// admit returns no error where a new saga may be started. Where it may not, a request
// that was made before gets its reservation, which starts none.
func (s *Service) admit(ctx context.Context, req Request, key string) (placed Reservation, before bool, err error) {
	if s.gate == nil {
		return Reservation{}, false, nil
	}
	refusal := s.gate.Admit(ctx)
	if !errors.Is(refusal, sagapg.ErrOverloaded) || key == "" {
		return Reservation{}, false, refusal
	}
	asked, err := fingerprint(req)
	if err != nil {
		return Reservation{}, false, err
	}
	placed, err = placedBefore(ctx, s.db, key, asked)
	if errors.Is(err, pgx.ErrNoRows) {
		return Reservation{}, false, refusal
	}
	return placed, true, err
}

// place writes the reservation, its saga and the first command in one transaction, which
// reservations that are placed at the same time share.
func (s *Service) place(ctx context.Context, def saga.Definition, req Request, key string) (Reservation, error) {
	id, errID := uuid.NewV7()
	sagaID, errSaga := uuid.NewV7()
	asked, err := fingerprint(req)
	if err := errors.Join(errID, errSaga, err); err != nil {
		return Reservation{}, err
	}
	token := newToken()
	batch := &pgx.Batch{}
	insert(batch, id, sagaID, req, token, key, asked)
	start := sagapg.StartRequest{ID: saga.ID(sagaID), BusinessKey: id.String(), Payload: payload(id, req, token)}
	if _, err := s.sagas.Queue(ctx, batch, def, start); err != nil {
		return Reservation{}, err
	}
	err = s.commits.Do(ctx, batch)
	var violated *pgconn.PgError
	if errors.As(err, &violated) && violated.ConstraintName == "reservation_idempotency_key_once" {
		return placedBefore(ctx, s.db, key, asked)
	}
	if err != nil {
		return Reservation{}, fmt.Errorf("store reservation %s and its saga: %w", id, err)
	}
	return Reservation{ID: id, HotelID: req.HotelID, RoomID: req.RoomID, GuestID: req.GuestID, Status: Pending}, nil
}

func insert(batch *pgx.Batch, id, sagaID uuid.UUID, req Request, token, key string, asked []byte) {
	var keyOrNull *string
	if key != "" {
		keyOrNull = &key
	} else {
		asked = nil
	}
	batch.Queue(queries.insert, id, req.HotelID, req.RoomID, req.GuestID, req.Start, req.End,
		req.PaymentDue, token, req.Card.LastFour(), keyOrNull, asked, sagaID)
}

func placedBefore(ctx context.Context, db sagapg.DB, key string, asked []byte) (Reservation, error) {
	var r Reservation
	var before []byte
	err := db.QueryRow(ctx, queries.byKey, key).
		Scan(&r.ID, &r.HotelID, &r.RoomID, &r.GuestID, &r.Status, &r.FailureReason, &before)
	if err != nil {
		return Reservation{}, fmt.Errorf("read the reservation of an idempotency key: %w", err)
	}
	if !bytes.Equal(before, asked) {
		return Reservation{}, ErrKeyReused
	}
	return r, nil
}

// payload is what the saga carries. The card's number is not in it.
func payload(id uuid.UUID, req Request, token string) jsonmap.JSONMap {
	return jsonmap.JSONMap{
		"reservationId": id.String(),
		"hotelId":       req.HotelID,
		"roomId":        req.RoomID,
		"startDate":     req.Start.Format(time.DateOnly),
		"endDate":       req.End.Format(time.DateOnly),
		"guestId":       req.GuestID,
		"paymentDue":    req.PaymentDue,
		"cardToken":     token,
		"cardLast4":     req.Card.LastFour(),
	}
}
