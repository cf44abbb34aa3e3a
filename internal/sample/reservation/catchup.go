package reservation

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// CatchUp gives the reservations of sagas that have ended their end, without an
// event. It is to be called when the queue of [EventKey] has just been bound: an event that
// was published before that went past the service, and every later one comes. It
// may be repeated at any time.
func (s *Service) CatchUp(ctx context.Context) error {
	for {
		var n int
		err := pgx.BeginTxFunc(ctx, s.db, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) (err error) {
			n, err = s.catchUp(ctx, tx)
			return err
		})
		if err != nil {
			return fmt.Errorf("catch up with the sagas that have ended: %w", err)
		}
		if n == 0 {
			return nil
		}
	}
}

// catchUp finishes some reservations and returns how many.
func (s *Service) catchUp(ctx context.Context, tx pgx.Tx) (int, error) {
	rows, err := tx.Query(ctx, queries.unheard)
	if err != nil {
		return 0, err
	}
	ids, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (id saga.ID, err error) {
		return id, row.Scan((*uuid.UUID)(&id))
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	ended, _, err := s.sagas.Load(ctx, tx, ids)
	if err != nil {
		return 0, err
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
	_, err = Finish(ctx, tx, events...)
	return len(ended), err
}
