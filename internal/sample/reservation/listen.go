package reservation

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
)

// Listen is the handler for [EventQueue]. What is no event of a reservation's
// saga is set aside.
func Listen(log *zap.Logger) inbox.Handler {
	return func(ctx context.Context, tx pgx.Tx, deliveries []inbox.Delivery) ([]inbox.Rejection, error) {
		var rejected []inbox.Rejection
		for i, d := range deliveries {
			event, err := protocol.DecodeEvent(d)
			if err != nil {
				rejected = append(rejected, inbox.Rejection{Index: i, Reason: err.Error()})
				continue
			}
			reason, err := hear(ctx, tx, event, log)
			if err != nil {
				return nil, err
			}
			if reason != "" {
				rejected = append(rejected, inbox.Rejection{Index: i, Reason: reason})
			}
		}
		return rejected, nil
	}
}

// hear returns why the event is none of ours, or "".
func hear(ctx context.Context, tx pgx.Tx, event protocol.Event, log *zap.Logger) (string, error) {
	if event.SagaType != SagaType {
		return "an event of another type of saga", nil
	}
	ended, err := Finish(ctx, tx, event)
	if err != nil {
		return "", err
	}
	if ended == Foreign {
		return "no reservation belongs to this saga", nil
	}
	log.Debug("heard of a saga", zap.Stringer("saga", uuid.UUID(event.SagaID)),
		zap.String("kind", string(event.Kind)), zap.String("reservation", string(ended)))
	return "", nil
}
