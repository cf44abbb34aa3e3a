package reservation

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// hopeless is how many refusals in a row, from the first on, show that the database refuses
// every end: to try them all would take long, and each event will say the same.
const hopeless = 20

// LeftError says that the database refuses the end of some reservations. All others have
// theirs, unless it refused each that was tried.
type LeftError struct {
	// Sagas were tried and refused.
	Sagas int
	// Saga is one of them, and Err what the database says of it.
	Saga saga.ID
	Err  error
}

func (e *LeftError) Error() string {
	return fmt.Sprintf("the ends of %d sagas cannot be stored in their reservations, one of them is %s: %v", e.Sagas, uuid.UUID(e.Saga), e.Err)
}

func (e *LeftError) Unwrap() error { return e.Err }

// CatchUp gives the reservations of sagas that have ended their end, without an
// event. It is to be called when the queue of [EventKey] has just been bound: an event that
// was published before that went past the service, and every later one comes. It
// may be repeated at any time, and is to be where the error is a [LeftError]: what the
// database refuses for some keeps nobody else from its end.
func (s *Service) CatchUp(ctx context.Context) error {
	c := catchingUp{Service: s}
	var after saga.ID
	for !c.hopeless() {
		ids, err := s.unheard(ctx, after)
		if err != nil {
			return fmt.Errorf("catch up with the sagas that have ended: %w", err)
		}
		if len(ids) == 0 {
			break
		}
		after = ids[len(ids)-1]
		if err := c.finish(ctx, ids); err != nil {
			return fmt.Errorf("catch up with the sagas that have ended: %w", err)
		}
	}
	if c.left.Sagas > 0 {
		return &c.left
	}
	return nil
}

// catchingUp is one walk over the sagas that have ended.
type catchingUp struct {
	*Service
	left LeftError
	some bool // have their end
}

func (c *catchingUp) hopeless() bool { return !c.some && c.left.Sagas >= hopeless }

// unheard lists some of the sagas that have ended and whose reservations do not know.
func (s *Service) unheard(ctx context.Context, after saga.ID) (ids []saga.ID, err error) {
	err = pgx.BeginTxFunc(ctx, s.db, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.query("unheard.sql"), uuid.UUID(after))
		if err != nil {
			return err
		}
		ids, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (id saga.ID, err error) {
			return id, row.Scan((*uuid.UUID)(&id))
		})
		return err
	})
	return ids, err
}

// finish gives the reservations of these sagas their end, in halves where the database
// refuses that, until those that it refuses stand alone.
func (c *catchingUp) finish(ctx context.Context, ids []saga.ID) error {
	if c.hopeless() {
		return nil
	}
	err := pgx.BeginTxFunc(ctx, c.db, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) error {
		return c.catchUp(ctx, tx, ids)
	})
	var refused *pgconn.PgError
	switch {
	case err == nil:
		c.some = true
		return nil
	case !errors.As(err, &refused):
		return err // the database does not answer
	case len(ids) == 1:
		if c.left.Sagas++; c.left.Err == nil {
			c.left.Saga, c.left.Err = ids[0], err
		}
		return nil
	}
	half := len(ids) / 2
	if err := c.finish(ctx, ids[:half]); err != nil {
		return err
	}
	return c.finish(ctx, ids[half:])
}

func (s *Service) catchUp(ctx context.Context, tx pgx.Tx, ids []saga.ID) error {
	ended, _, err := s.sagas.Load(ctx, tx, ids)
	if err != nil {
		return err
	}
	events := make([]protocol.Event, 0, len(ended))
	for _, e := range ended {
		event := protocol.Event{SagaID: e.State.ID, Kind: saga.EventAborted, Failure: e.State.Failure}
		switch e.State.Status {
		case saga.StatusCompleted:
			event.Kind = saga.EventCompleted
		case saga.StatusKilled:
			event.Kind = saga.EventKilled
		default:
		}
		events = append(events, event)
	}
	_, err = s.Finish(ctx, tx, events...)
	return err
}
