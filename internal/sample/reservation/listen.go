package reservation

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
)

// Listen is the handler for the queue of [EventKey]. What is no event of a reservation's
// saga is set aside.
func (s *Service) Listen(log *zap.Logger) inbox.Handler {
	return func(ctx context.Context, tx pgx.Tx, deliveries []inbox.Delivery) (rejected []inbox.Rejection, err error) {
		var events []protocol.Event
		var places []int
		for i, d := range deliveries {
			event, err := protocol.DecodeEvent(d)
			switch {
			case err != nil:
				rejected = append(rejected, inbox.Rejection{Index: i, Code: inbox.Undecodable, Reason: err.Error()})
			case event.SagaType != SagaType:
				rejected = append(rejected, inbox.Rejection{Index: i, Code: inbox.Unexpected, Reason: "an event of another type of saga"})
			default:
				events, places = append(events, event), append(places, i)
			}
		}
		ended, err := s.Finish(ctx, tx, events...)
		if err != nil {
			return nil, err
		}
		for n, event := range events {
			if ended[n] == Foreign {
				rejected = append(rejected, inbox.Rejection{Index: places[n], Code: inbox.UnknownSubject, Reason: "no reservation belongs to this saga"})
				continue
			}
			log.Debug("heard of a saga", zap.Stringer("saga", uuid.UUID(event.SagaID)),
				zap.String("kind", string(event.Kind)), zap.String("reservation", string(ended[n])))
		}
		return rejected, nil
	}
}
