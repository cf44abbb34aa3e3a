package booking

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/sample/hotel"
	"go.example/saga/internal/sample/payment"
	"go.example/saga/internal/sample/reservation"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// Exec runs a statement in the transaction of a step, whatever it is made of.
type Exec func(ctx context.Context, statement string, values ...any) error

// In is Exec in a transaction of pgx.
func In(tx pgx.Tx) Exec {
	return func(ctx context.Context, statement string, values ...any) error {
		_, err := tx.Exec(ctx, statement, values...)
		return err
	}
}

// Job is one order on its way, for contenders that are not this system: the steps,
// to be called in a transaction of the database in question. The id stands for the
// saga and for the reservation.
type Job struct {
	ID    uuid.UUID
	Order Order
}

// NewJob begins with an order.
func NewJob(o Order) (Job, error) {
	id, err := uuid.NewV7()
	return Job{ID: id, Order: o}, err
}

// Place inserts the reservation.
func (j Job) Place(ctx context.Context, do Exec) error {
	o := j.Order
	err := do(ctx, queries.insert, j.ID, int64(hotelID), o.room(), o.guest(), o.start(), o.end(), o.due(), "tok_"+j.ID.String(), o.cardLast4(), nil, nil, j.ID)
	if err != nil {
		return fmt.Errorf("place reservation %s: %w", j.ID, err)
	}
	return nil
}

// Book books the room.
func (j Job) Book(ctx context.Context, tx pgx.Tx) error {
	_, err := hotel.Step().Request(ctx, tx, j.command(hotel.StepName, saga.Request))
	return err
}

// Release gives the room back.
func (j Job) Release(ctx context.Context, tx pgx.Tx) error {
	return hotel.Step().Cancel(ctx, tx, j.command(hotel.StepName, saga.Cancel))
}

// Charge charges the card. Of a declined one it is an error if it does not fail: who
// calls it asks the order which way to go on.
func (j Job) Charge(ctx context.Context, tx pgx.Tx) error {
	_, err := payment.Step().Request(ctx, tx, j.command(payment.StepName, saga.Request))
	switch {
	case !j.Order.Declined():
		return err
	case err == nil:
		return fmt.Errorf("saga %s: a card was charged that has to be declined", j.ID)
	default:
		return nil
	}
}

// Finish gives the reservation its end.
func (j Job) Finish(ctx context.Context, do Exec) error {
	status, reason := reservation.Succeed, (*string)(nil)
	if j.Order.Declined() {
		text := "card declined"
		status, reason = reservation.Failed, &text
	}
	if err := do(ctx, queries.finish, j.ID, string(status), reason); err != nil {
		return fmt.Errorf("finish reservation %s: %w", j.ID, err)
	}
	return nil
}

func (j Job) command(step string, op saga.Operation) participant.Command {
	return participant.Command{
		SagaID: saga.ID(j.ID), SagaType: reservation.SagaType, Step: step, Operation: op, Attempt: 1, Payload: j.Order.payload(j.ID),
	}
}

var queries = struct{ insert, finish string }{
	insert: sagasql.Query("", "reservation/insert.sql"),
	finish: sagasql.Query("", "reservation/finish.sql"),
}
