package booking

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/internal/sample/reservation"
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
	err := do(ctx, insertSQL, j.ID, int64(hotelID), o.room(), o.guest(), o.start(), o.end(), o.due(), "tok_"+j.ID.String(), o.cardLast4(), nil, nil, j.ID)
	if err != nil {
		return fmt.Errorf("place reservation %s: %w", j.ID, err)
	}
	return nil
}

// Book books the room.
func (j Job) Book(ctx context.Context, tx pgx.Tx) error {
	o := j.Order
	var open bool
	err := tx.QueryRow(ctx, roomSQL, int64(hotelID), o.room()).Scan(&open)
	if err == nil && !open {
		err = errors.New("the room is closed")
	}
	if err == nil { // no row: somebody else has it
		err = tx.QueryRow(ctx, bookSQL, j.ID, int64(hotelID), o.room(), o.start(), o.end()).Scan(new(uuid.UUID))
	}
	if err != nil {
		return fmt.Errorf("book the room of saga %s: %w", j.ID, err)
	}
	return nil
}

// Release gives the room back.
func (j Job) Release(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, releaseSQL, j.ID); err != nil {
		return fmt.Errorf("release the room of saga %s: %w", j.ID, err)
	}
	return nil
}

// Charge charges the card. Of a declined one it charges nothing: who calls it asks the
// order which way to go on.
func (j Job) Charge(ctx context.Context, tx pgx.Tx) error {
	o := j.Order
	if o.Declined() {
		return nil
	}
	if err := tx.QueryRow(ctx, chargeSQL, j.ID, o.due(), "tok_"+j.ID.String(), o.cardLast4()).Scan(new(uuid.UUID)); err != nil {
		return fmt.Errorf("charge saga %s: %w", j.ID, err)
	}
	return nil
}

// Finish gives the reservation its end.
func (j Job) Finish(ctx context.Context, do Exec) error {
	status, reason := reservation.Succeed, (*string)(nil)
	if j.Order.Declined() {
		text := "card declined"
		status, reason = reservation.Failed, &text
	}
	if err := do(ctx, finishSQL, j.ID, string(status), reason); err != nil {
		return fmt.Errorf("finish reservation %s: %w", j.ID, err)
	}
	return nil
}

// What the sample does for all commands of a batch, for one order.
var (
	//go:embed insert.sql
	insertSQL string
	//go:embed room.sql
	roomSQL string
	//go:embed book.sql
	bookSQL string
	//go:embed release.sql
	releaseSQL string
	//go:embed charge.sql
	chargeSQL string
	//go:embed finish.sql
	finishSQL string
)
