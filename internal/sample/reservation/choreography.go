package reservation

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/sample/reaction"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// The facts of the service.
const (
	factPlaced    = "reservation.placed"
	factConfirmed = "reservation.confirmed"
)

// WithoutOrchestrator has reservations placed by telling the others: the service publishes
// that they were, and hears what the others make of it. It is to be called before the first
// [Service.Place].
func (s *Service) WithoutOrchestrator() { s.alone = true }

// FactKeys are the routing keys of what the service hears of the others then.
func FactKeys() []string {
	return []string{"hotel.room.booked", "hotel.room.refused", "payment.payment.captured", "payment.payment.declined"}
}

// tell puts the facts that the reservations were placed into the batch.
func (s *Service) tell(ctx context.Context, batch *pgx.Batch, placings []placing) error {
	messages := make([]outbox.Message, len(placings))
	for i, p := range placings {
		var err error
		messages[i], err = protocol.FactMessage(protocol.Fact{
			Type: factPlaced, Service: s.name, Subject: p.id.String(), SagaID: saga.ID(p.saga), Payload: payload(p.id, p.request, p.token),
		})
		if err != nil {
			return fmt.Errorf("tell of reservation %s: %w", p.id, err)
		}
	}
	parameters, err := outbox.In(s.schema).Parameters(ctx, nil, messages...)
	if err != nil {
		return fmt.Errorf("tell of %d reservations: %w", len(placings), err)
	}
	batch.Queue(sagasql.Query(s.schema, "outbox/append.sql"), parameters...)
	return nil
}

// Hear is the handler of those facts, for [inbox.Once]. A no fails the reservation, and two
// times yes has it succeed and be told; their order does not matter.
func (s *Service) Hear(ctx context.Context, tx pgx.Tx, d inbox.Delivery) error {
	fact, err := protocol.DecodeFact(d)
	if err != nil {
		return inbox.SetAside(inbox.Undecodable, err.Error())
	}
	var no *string
	switch fact.Type {
	case "room.booked", "payment.captured":
	case "room.refused", "payment.declined":
		reason, there := fact.Payload.GetString("/reason")
		if !there || reason == "" {
			reason = fact.Type
		}
		no = &reason
	default:
		return inbox.SetAside(inbox.Unexpected, fmt.Sprintf("%q decides nothing about a reservation", fact.Type))
	}
	var id uuid.UUID
	var confirmed bool
	err = tx.QueryRow(ctx, s.query("hear.sql"), uuid.UUID(fact.SagaID), fact.Type, no).Scan(&id, &confirmed)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return inbox.SetAside(inbox.UnknownSubject, "no reservation belongs to it")
	case err != nil:
		return fmt.Errorf("keep what was heard of a reservation: %w", err)
	case !confirmed:
		return nil
	}
	return reaction.Publish(ctx, tx, s.schema, protocol.Fact{
		Type: factConfirmed, Service: s.name, Subject: id.String(), SagaID: fact.SagaID, Payload: jsonmap.JSONMap{},
	})
}
