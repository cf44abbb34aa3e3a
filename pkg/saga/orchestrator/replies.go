package orchestrator

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// reasonUnknown rejects a reply to a saga that this database does not have: it is
// foreign, or the saga was deleted, or the database is an old copy.
const reasonUnknown = "unknown saga"

// reply is one decoded delivery of a batch.
type reply struct {
	index int
	id    saga.ID
	event saga.Reply
}

// Handle applies a batch of replies inside tx. It is an [inbox.Handler].
func (e *Engine) Handle(ctx context.Context, tx pgx.Tx, deliveries []inbox.Delivery) ([]inbox.Rejection, error) {
	replies, rejections := decode(deliveries)
	if len(replies) == 0 {
		return rejections, nil
	}
	loaded, now, err := e.Store.Load(ctx, tx, ids(replies))
	if err != nil {
		return nil, err
	}
	b := newBatch(loaded, now)
	for _, r := range replies {
		t, known := b.apply(r.id, r.event)
		switch {
		case !known:
			rejections = append(rejections, inbox.Rejection{Index: r.index, Code: inbox.UnknownSubject, Reason: reasonUnknown})
		case t.Entry.Disposition == saga.Quarantined:
			rejections = append(rejections, inbox.Rejection{Index: r.index, Code: inbox.Unexpected, Reason: t.Entry.Detail})
		}
	}
	changes := b.changes()
	if err := e.Store.Save(ctx, tx, changes); err != nil {
		return nil, err
	}
	for _, change := range changes {
		for _, t := range change {
			e.tell(t)
		}
	}
	return rejections, nil
}

func decode(deliveries []inbox.Delivery) (replies []reply, rejections []inbox.Rejection) {
	for i, d := range deliveries {
		id, event, err := protocol.DecodeReply(d)
		if err != nil {
			rejections = append(rejections, inbox.Rejection{Index: i, Code: inbox.Undecodable, Reason: "not a reply: " + err.Error()})
			continue
		}
		replies = append(replies, reply{index: i, id: id, event: event})
	}
	return replies, rejections
}

// ids lists each saga once.
func ids(replies []reply) []saga.ID {
	seen := make(map[saga.ID]bool, len(replies))
	var list []saga.ID
	for _, r := range replies {
		if !seen[r.id] {
			seen[r.id] = true
			list = append(list, r.id)
		}
	}
	return list
}

// tell counts and logs what became of an event. Only what an operator has to act on
// is above debug; everything is in the history.
func (e *Engine) tell(t saga.Transition) {
	e.Observe(t)
	level := zap.DebugLevel
	if t.Entry.Disposition == saga.Parked {
		level = zap.WarnLevel
	}
	line := e.Log.Check(level, "event")
	if line == nil {
		return
	}
	line.Write(zap.Stringer("saga", uuid.UUID(t.Next.ID)), zap.String("type", t.Next.Type),
		zap.String("kind", string(t.Entry.Kind)), zap.String("step", t.Entry.Step),
		zap.String("operation", string(t.Entry.Operation)), zap.String("outcome", string(t.Entry.Outcome)),
		zap.String("disposition", string(t.Entry.Disposition)), zap.String("status", string(t.Next.Status)),
		zap.String("detail", t.Entry.Detail), zap.String("problem", t.Entry.Problem.String()))
}
