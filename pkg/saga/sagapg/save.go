package sagapg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// ErrConflict means that a saga was changed by somebody else since it was read. The
// transaction has to be rolled back; repeating it from the load is safe.
var ErrConflict = errors.New("the saga was changed by somebody else")

// Change is what a transaction does to one saga: transitions, each made from the
// state that the one before it left. Without any it changes nothing.
type Change []saga.Transition

// Save writes the last state of each change over the version that its first
// transition was made from, appends every history row, and hands every message to
// the outbox, in order. Each saga may occur once. After an error the transaction
// has to be rolled back; nothing of it has taken effect.
func (s *Store) Save(ctx context.Context, tx pgx.Tx, changes []Change) error {
	changes = slices.DeleteFunc(slices.Clone(changes), func(c Change) bool { return len(c) == 0 })
	if len(changes) == 0 {
		return nil
	}
	if err := carriable(changes); err != nil {
		return err
	}
	messages, err := s.messagesOf(changes)
	if err != nil {
		return err
	}
	return s.write(ctx, tx, changes, messages)
}

// carriable holds that what a saga carries fits into a message: its end could not be
// told of otherwise, nor that it is parked. A signal that is kept will be an output.
func carriable(changes []Change) error {
	for _, change := range changes {
		s := change[len(change)-1].Next
		if !slices.ContainsFunc(change, mayGrow) {
			continue
		}
		outputs := maps.Clone(s.Outputs)
		for step, signal := range s.Signals {
			if outputs == nil {
				outputs = jsonmap.JSONMap{}
			}
			outputs[step] = map[string]any(signal.Output)
		}
		if err := protocol.Fits(s.Payload, outputs); err != nil {
			return &SagaError{s.ID, err}
		}
	}
	return nil
}

// mayGrow says whether the transition may have brought an output. Of the replies,
// which are nearly all there is, only a success does.
func mayGrow(t saga.Transition) bool {
	return t.Entry.Kind != saga.KindReply || t.Entry.Outcome == saga.OutcomeSucceeded
}

// write writes states, history and messages in one round trip.
func (s *Store) write(ctx context.Context, tx pgx.Tx, changes []Change, messages []outbox.Message) error {
	states, ids := make([]sagaRow, len(changes)), make([][16]byte, len(changes))
	var history []historyRow
	for i, change := range changes {
		states[i], ids[i] = toSagaRow(change[len(change)-1].Next), change[0].Next.ID
		states[i].OverVersion = change[0].Next.Version - 1
		states[i].Sends = slices.ContainsFunc(change, func(t saga.Transition) bool { return len(t.Effects) > 0 })
		for _, transition := range change {
			history = append(history, toHistoryRow(transition))
		}
	}
	stateText, err := json.Marshal(states)
	if err != nil {
		return fmt.Errorf("encode %d sagas: %w", len(changes), err)
	}
	historyText, err := json.Marshal(history)
	if err != nil {
		return fmt.Errorf("encode the history of %d sagas: %w", len(changes), err)
	}
	batch := &pgx.Batch{}
	batch.Queue(s.query("save"), string(stateText), ids)
	batch.Queue(s.query("history"), string(historyText))
	if err := s.outbox.Append(ctx, queued{Tx: tx, batch: batch}, messages...); err != nil {
		return fmt.Errorf("append the messages of %d sagas: %w", len(changes), err)
	}
	results := tx.SendBatch(ctx, batch)
	rows, _ := results.Query()
	saved, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err == nil {
		err = missing(changes, saved)
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("save %d sagas: %w", len(changes), err)
	}
	return nil
}

// queued is a transaction to append to in the round trip of a batch.
type queued struct {
	pgx.Tx

	batch *pgx.Batch
}

// Exec implements [outbox.Tx].
func (q queued) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	q.batch.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

// missing names the first saga that was not saved.
func missing(changes []Change, saved []uuid.UUID) error {
	if len(saved) == len(changes) {
		return nil
	}
	there := make(map[uuid.UUID]bool, len(saved))
	for _, id := range saved {
		there[id] = true
	}
	for _, change := range changes {
		if id := uuid.UUID(change[0].Next.ID); !there[id] {
			return fmt.Errorf("saga %s over version %d: %w (safe to retry from the load)", id, change[0].Next.Version-1, ErrConflict)
		}
	}
	return fmt.Errorf("%w: a saga occurs twice in one batch", ErrConflict)
}

// messagesOf turns the effects into messages, in order.
func (s *Store) messagesOf(changes []Change) ([]outbox.Message, error) {
	if s.service == "" {
		return nil, errNoService
	}
	var messages []outbox.Message
	for _, change := range changes {
		for _, transition := range change {
			for _, effect := range transition.Effects {
				m, err := message(s.service, transition.Next, effect)
				if err != nil {
					return nil, err
				}
				messages = append(messages, m)
				if e, ok := effect.(saga.EmitEvent); ok {
					for _, name := range e.Webhooks {
						messages = append(messages, protocol.WebhookMessage(m, name, transition.Next.UpdatedAt))
					}
				}
			}
		}
	}
	return messages, nil
}

func message(service string, state saga.State, effect saga.Effect) (outbox.Message, error) {
	switch e := effect.(type) {
	case saga.SendCommand:
		return protocol.CommandMessage(service, state, e)
	case saga.EmitEvent:
		return protocol.EventMessage(service, state, e)
	}
	return outbox.Message{}, fmt.Errorf("saga %s: no message is known for the effect %T", uuid.UUID(state.ID), effect)
}
