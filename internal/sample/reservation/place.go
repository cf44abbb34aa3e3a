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

	"go.example/saga/pkg/groupcommit"
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
	if def == nil && !s.alone {
		return Reservation{}, ErrNotReady
	}
	placed, before, err := s.admit(ctx, req, idempotencyKey)
	if err == nil && !before {
		placed, err = s.place(ctx, def, req, idempotencyKey)
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
	placed, err = s.placedBefore(ctx, key, asked)
	if errors.Is(err, pgx.ErrNoRows) {
		return Reservation{}, false, refusal
	}
	return placed, true, err
}

// placing is a reservation to be stored with its saga.
type placing struct {
	id, saga uuid.UUID
	request  Request
	token    string
	key      *string // idempotency key
	asked    []byte  // fingerprint of the request where it has a key
	plan     *saga.Definition
}

// place writes the reservation, its saga and the first command in one transaction, which
// reservations that are placed at the same time share.
func (s *Service) place(ctx context.Context, def *saga.Definition, req Request, key string) (Reservation, error) {
	id, errID := uuid.NewV7()
	sagaID, errSaga := uuid.NewV7()
	asked, err := fingerprint(req)
	if err := errors.Join(errID, errSaga, err); err != nil {
		return Reservation{}, err
	}
	p := placing{id: id, saga: sagaID, request: req, token: newToken(), plan: def}
	if key != "" {
		p.key, p.asked = &key, asked
	}
	err = s.commits.Do(ctx, p)
	var violated *pgconn.PgError
	if errors.As(err, &violated) && violated.ConstraintName == "reservation_idempotency_key_once" {
		return s.placedBefore(ctx, key, asked)
	}
	if err != nil {
		return Reservation{}, fmt.Errorf("store reservation %s and its saga: %w", id, err)
	}
	return Reservation{ID: id, HotelID: req.HotelID, RoomID: req.RoomID, GuestID: req.GuestID, Status: Pending}, nil
}

// store is one transaction and one round trip: a batch that is sent outside of a
// transaction is one. Without an orchestrator there is a fact in place of the saga. The plan is the same for all, or two where it was just replaced.
func (s *Service) store(ctx context.Context, placings []placing) error {
	batch := &pgx.Batch{}
	s.insert(batch, placings)
	if s.alone {
		if err := s.tell(ctx, batch, placings); err != nil {
			return fmt.Errorf("%w: %w", groupcommit.ErrNothingDone, err)
		}
		return s.db.SendBatch(ctx, batch).Close()
	}
	starts := map[*saga.Definition][]sagapg.StartRequest{}
	for _, p := range placings {
		starts[p.plan] = append(starts[p.plan], sagapg.StartRequest{
			ID: saga.ID(p.saga), BusinessKey: p.id.String(), Payload: payload(p.id, p.request, p.token),
		})
	}
	for plan, requests := range starts {
		if _, err := s.sagas.Queue(ctx, batch, *plan, requests...); err != nil {
			return fmt.Errorf("%w: %w", groupcommit.ErrNothingDone, err)
		}
	}
	return s.db.SendBatch(ctx, batch).Close()
}

// insert puts the reservations into the batch, an array a column.
func (s *Service) insert(batch *pgx.Batch, placings []placing) {
	n := len(placings)
	ids, sagas, hotels, rooms, dues := make([][16]byte, n), make([][16]byte, n), make([]int64, n), make([]int64, n), make([]int64, n)
	guests, tokens, cards := make([]string, n), make([]string, n), make([]string, n)
	starts, ends := make([]time.Time, n), make([]time.Time, n)
	keys, asked := make([]*string, n), make([][]byte, n)
	for i, p := range placings {
		r := p.request
		ids[i], sagas[i], hotels[i], rooms[i], guests[i] = p.id, p.saga, r.HotelID, r.RoomID, r.GuestID
		starts[i], ends[i], dues[i], tokens[i], cards[i] = r.Start, r.End, r.PaymentDue, p.token, r.Card.LastFour()
		keys[i], asked[i] = p.key, p.asked
	}
	batch.Queue(s.query("insert.sql"), ids, hotels, rooms, guests, starts, ends, dues, tokens, cards, keys, asked, sagas)
}

func (s *Service) placedBefore(ctx context.Context, key string, asked []byte) (Reservation, error) {
	var r Reservation
	var before []byte
	err := s.db.QueryRow(ctx, s.query("by_key.sql"), key).
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
