package orchestrator

import (
	"context"
	"fmt"
	"slices"

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

// heard is what one delivery of a batch tells a saga: a reply, or a signal.
type heard struct {
	index int
	id    saga.ID
	event saga.Event
}

// Handle applies a batch of replies and instructions inside tx. It is an [inbox.Handler].
func (e *Engine) Handle(ctx context.Context, tx pgx.Tx, deliveries []inbox.Delivery) ([]inbox.Rejection, error) {
	replies, instructions, rejections := decode(deliveries)
	signals, refused, err := e.instruct(ctx, tx, instructions)
	if err != nil {
		return nil, err
	}
	rejections = append(rejections, refused...)
	all := slices.SortedFunc(slices.Values(append(replies, signals...)), func(a, b heard) int { return a.index - b.index })
	if len(all) == 0 {
		return rejections, nil
	}
	loaded, now, err := e.Store.Load(ctx, tx, ids(all))
	if err != nil {
		return nil, err
	}
	b := newBatch(loaded, now)
	for _, one := range all {
		t, known := b.apply(one.id, one.event)
		_, isSignal := one.event.(saga.Signalled)
		switch {
		case !known:
			rejections = append(rejections, inbox.Rejection{Index: one.index, Code: inbox.UnknownSubject, Reason: reasonUnknown})
		case t.Entry.Disposition == saga.Quarantined, isSignal && t.Entry.Disposition == saga.Refused:
			rejections = append(rejections, inbox.Rejection{Index: one.index, Code: inbox.Unexpected, Reason: t.Entry.Detail})
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

func decode(deliveries []inbox.Delivery) (replies []heard, instructions []instruction, rejections []inbox.Rejection) {
	for i, d := range deliveries {
		var err error
		if protocol.IsInstruction(d) {
			var in protocol.Instruction
			if in, err = protocol.DecodeInstruction(d); err == nil && in.Signal != nil {
				err = checkEvent(*in.Signal)
			}
			if err == nil {
				instructions = append(instructions, instruction{i, in})
				continue
			}
			err = fmt.Errorf("not an instruction: %w", err)
		} else {
			var r heard
			var event saga.Reply
			if r.id, event, err = protocol.DecodeReply(d); err == nil {
				r.index, r.event = i, event
				replies = append(replies, r)
				continue
			}
			err = fmt.Errorf("not a reply: %w", err)
		}
		rejections = append(rejections, inbox.Rejection{Index: i, Code: inbox.Undecodable, Reason: err.Error()})
	}
	return replies, instructions, rejections
}

// ids lists each saga once.
func ids(all []heard) []saga.ID {
	seen := make(map[saga.ID]bool, len(all))
	var list []saga.ID
	for _, one := range all {
		if !seen[one.id] {
			seen[one.id] = true
			list = append(list, one.id)
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
