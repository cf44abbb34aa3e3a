package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// reasonNoDefinition rejects a start of what this database has no plan for: it is asked of the
// wrong service, or comes before its definition.
const reasonNoDefinition = "unknown definition"

// instruction is one decoded instruction of a batch.
type instruction struct {
	index int
	protocol.Instruction
}

func (i instruction) key() sagapg.Key { return sagapg.Key{Type: i.Type, BusinessKey: i.BusinessKey} }

// instruct starts the sagas that do not exist yet, and finds those that are signalled. A batch in
// which somebody else starts one of them at the same time fails, and finds it when it is repeated.
func (e *Engine) instruct(ctx context.Context, tx pgx.Tx, all []instruction) (signals []heard, rejections []inbox.Rejection, err error) {
	if len(all) == 0 {
		return nil, nil, nil
	}
	keys := make([]sagapg.Key, len(all))
	for i, in := range all {
		keys[i] = in.key()
	}
	known, err := e.Store.ByKeys(ctx, tx, keys)
	if err != nil {
		return nil, nil, err
	}
	rejections, err = e.startAll(ctx, tx, all, known)
	if err != nil {
		return nil, nil, err
	}
	for _, in := range all {
		if in.Signal == nil {
			continue
		}
		id, there := known[in.key()]
		if !there {
			rejections = append(rejections, inbox.Rejection{Index: in.index, Code: inbox.UnknownSubject, Reason: reasonUnknown})
			continue
		}
		signals = append(signals, heard{index: in.index, id: id, event: *in.Signal})
	}
	return signals, rejections, nil
}

// startAll starts what is asked for and not known, each once, and adds it to what is known.
func (e *Engine) startAll(ctx context.Context, tx pgx.Tx, all []instruction, known map[sagapg.Key]saga.ID) (rejections []inbox.Rejection, err error) {
	wanted := map[string][]instruction{}
	asked := map[sagapg.Key]bool{}
	for _, in := range all {
		key := in.key()
		if _, there := known[key]; in.Signal != nil || there || asked[key] {
			continue
		}
		asked[key] = true
		wanted[in.Type] = append(wanted[in.Type], in)
	}
	batch := &pgx.Batch{}
	for _, name := range slices.Sorted(maps.Keys(wanted)) { // in one order everywhere: nobody locks another out
		def, err := e.Store.LatestDefinition(ctx, tx, name)
		if errors.Is(err, sagapg.ErrNoDefinition) || errors.Is(err, sagapg.ErrNotUnderstood) {
			rejections = append(rejections, unstartable(all, known, name, err)...)
			continue
		}
		if err != nil {
			return nil, err
		}
		requests := make([]sagapg.StartRequest, len(wanted[name]))
		for i, in := range wanted[name] {
			requests[i] = sagapg.StartRequest{BusinessKey: in.BusinessKey, Payload: in.Payload}
		}
		ids, err := e.Store.Queue(ctx, batch, def, requests...)
		if err != nil {
			return nil, err
		}
		for i, in := range wanted[name] {
			known[in.key()] = ids[i]
		}
		e.Log.Debug("sagas are started by instructions", zap.String("type", name), zap.Int("sagas", len(ids)))
	}
	if batch.Len() == 0 {
		return rejections, nil
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("start sagas by instructions: %w", err)
	}
	return rejections, nil
}

// unstartable rejects all starts of a definition, but for those of sagas that exist.
func unstartable(all []instruction, known map[sagapg.Key]saga.ID, name string, why error) (rejections []inbox.Rejection) {
	reason := reasonNoDefinition
	if errors.Is(why, sagapg.ErrNotUnderstood) {
		reason = why.Error()
	}
	for _, in := range all {
		if _, there := known[in.key()]; in.Signal == nil && in.Type == name && !there {
			rejections = append(rejections, inbox.Rejection{Index: in.index, Code: inbox.UnknownSubject, Reason: reason})
		}
	}
	return rejections
}
