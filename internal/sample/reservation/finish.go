package reservation

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// EventKey is the pattern of the routing keys of the events that tell how the service's
// sagas ended.
func EventKey(service string) string { return service + "." + SagaType + ".*" }

// Ended says what an event did.
type Ended string

const (
	// Moved means that the reservation has its end now.
	Moved Ended = "moved"
	// Known means that it had one before: the event came again.
	Known Ended = "known"
	// Undecided means that the event is no end: the reservation stays PENDING.
	Undecided Ended = "undecided"
	// Foreign means that no reservation belongs to the saga.
	Foreign Ended = "foreign"
)

// Finish gives the reservations the ends that the events tell of, and says what each
// event did. It may be called any number of times for the same event; of two different
// ends of one reservation the first counts.
func (s *Service) Finish(ctx context.Context, tx pgx.Tx, events ...protocol.Event) ([]Ended, error) {
	all := make([]Ended, len(events))
	var sagas [][16]byte
	var statuses []string
	var reasons []*string
	var places []int
	for i, e := range events {
		status, reason := endOf(e)
		if status == Pending {
			all[i] = Undecided
			continue
		}
		sagas, statuses, reasons = append(sagas, e.SagaID), append(statuses, string(status)), append(reasons, reason)
		places = append(places, i)
	}
	if len(sagas) == 0 {
		return all, nil
	}
	rows, err := tx.Query(ctx, s.query("finish.sql"), sagas, statuses, reasons)
	if err != nil {
		return nil, fmt.Errorf("finish %d reservations: %w", len(sagas), err)
	}
	var found, moved bool
	next := 0
	_, err = pgx.ForEachRow(rows, []any{&found, &moved}, func() error {
		ended := Foreign
		switch {
		case moved:
			ended = Moved
		case found:
			ended = Known
		}
		all[places[next]] = ended
		next++
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("finish %d reservations: %w", len(sagas), err)
	}
	return all, nil
}

// endOf is the reservation's end, with a reason for one that failed; PENDING where the
// event is no end.
func endOf(e protocol.Event) (Status, *string) {
	var reason string
	switch e.Kind {
	case saga.EventCompleted:
		return Succeed, nil
	case saga.EventAborted:
		reason = reasonOf(e.Failure)
	case saga.EventKilled:
		reason = "ended by the hotel's staff"
	case saga.EventParked:
		return Pending, nil
	}
	return Failed, &reason
}

// reasonOf puts the failure into words for the guest. The participant's own are
// the best; where it never answered there are none.
func reasonOf(f *saga.Failure) string {
	switch {
	case f == nil:
		return "the reservation was undone"
	case f.Class == saga.FailureUnknown, f.Class == saga.FailureUnsignalled:
		return fmt.Sprintf("no answer from %s in time", f.Step)
	case f.Class == saga.FailureUnavailable: // what is broken there is no guest's business
		return f.Step + " is not available"
	case f.Class == saga.FailureDeadline:
		return "it took too long"
	case f.Problem.Detail != "":
		return f.Problem.Detail
	case f.Problem.Title != "":
		return f.Problem.Title
	case f.Class == saga.FailureAborted:
		return "called off by the hotel's staff"
	default:
		return f.Step + " was refused"
	}
}
