package reservation

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"go.example/saga/pkg/saga"
)

// ErrNoSaga says that the saga is not there (any more): sagas that have ended may be deleted
// after a time.
var ErrNoSaga = errors.New("no such saga")

// Progress is how far a reservation's saga has come. It has no member that changes with time
// alone, such as an age: it is the same as long as nothing has happened.
type Progress struct {
	SagaID    string      `json:"sagaId" format:"uuid"`
	Status    saga.Status `json:"status"`
	Paused    bool        `json:"paused,omitempty"`
	Steps     string      `json:"steps" doc:"Every step with a mark, as in saga_overview."`
	WaitsFor  *string     `json:"waitsFor,omitempty"`
	Reason    *string     `json:"reason,omitempty" doc:"Why it waits for an operator, or went back."`
	StartedAt time.Time   `json:"startedAt"`
	EndedAt   *time.Time  `json:"endedAt,omitempty"`
}

// Progress shows a reservation's saga, or [ErrNoSaga].
func (s *Service) Progress(ctx context.Context, id uuid.UUID) (Progress, error) {
	found, err := s.sagas.Overviews(ctx, s.db, []saga.ID{saga.ID(id)})
	if err != nil {
		return Progress{}, err
	}
	if len(found) == 0 {
		return Progress{}, ErrNoSaga
	}
	o := found[0]
	return Progress{
		SagaID: o.ID, Status: o.Status, Paused: o.Paused, Steps: o.Steps, WaitsFor: o.WaitsFor, Reason: o.Reason,
		StartedAt: o.StartedAt, EndedAt: o.EndedAt,
	}, nil
}
