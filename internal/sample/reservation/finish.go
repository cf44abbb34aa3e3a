package reservation

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// EventQueue is the queue from which the service learns how its sagas ended.
const EventQueue = "reservation.saga-events"

// EventKey is the routing key that binds [EventQueue] to the exchange of events.
const EventKey = SagaType + ".*"

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

// Finish gives the reservation the end that the event tells of. It may be called
// any number of times for the same event.
func Finish(ctx context.Context, tx pgx.Tx, e protocol.Event) (Ended, error) {
	var status Status
	var reason *string
	switch e.Kind {
	case saga.EventCompleted:
		status = Succeed
	case saga.EventAborted:
		text := reasonOf(e.Failure)
		status, reason = Failed, &text
	case saga.EventKilled:
		text := "ended by the hotel's staff"
		status, reason = Failed, &text
	default:
		return Undecided, nil
	}
	var found, moved bool
	id := uuid.UUID(e.SagaID)
	if err := tx.QueryRow(ctx, queries.finish, id, status, reason).Scan(&found, &moved); err != nil {
		return "", fmt.Errorf("finish the reservation of saga %s as %s: %w", id, status, err)
	}
	switch {
	case moved:
		return Moved, nil
	case found:
		return Known, nil
	default:
		return Foreign, nil
	}
}

// reasonOf puts the failure into words for the guest. The participant's own are
// the best; where it never answered there are none.
func reasonOf(f *saga.Failure) string {
	switch {
	case f == nil:
		return "the reservation was undone"
	case f.Class == saga.FailureUnknown, f.Class == saga.FailureUnsignalled:
		return fmt.Sprintf("no answer from %s in time", f.Step)
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
