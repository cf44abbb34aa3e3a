package sagapg

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// StartRequest is what distinguishes one saga of a definition from another.
type StartRequest struct {
	// ID is the saga's, for who writes it down beside his own rows before the start: a
	// UUID of version 7 that was drawn for this saga alone, since ids order sagas by
	// their age. Zero draws one.
	ID saga.ID
	// Now is the time by the database's clock (clock_timestamp()), for who has just asked
	// for it in this transaction and so saves a round trip. Zero asks.
	Now time.Time
	// BusinessKey makes the start idempotent: a second one of the same definition's
	// name with the same key finds the first saga. Empty means none; at most 255
	// bytes.
	BusinessKey string
	// Payload goes with every event of the saga and every command that is not sent a
	// part of it, and is kept in its row: no secrets. What is left of
	// [protocol.MaxContent] is for the steps' outputs.
	Payload jsonmap.JSONMap
}

// Start begins a saga in the caller's transaction: the saga, its first history row
// and its first command commit or vanish together with everything else in it. No
// message leaves before the commit.
//
// started is false if the business key was used before; id is then the first
// saga's, and nothing was written. The error is [ErrNoDefinition] or
// [ErrDefinitionDiffers] if exactly this definition is not stored. After any error
// the transaction has to be rolled back; the whole of it may be repeated.
func (s *Store) Start(ctx context.Context, tx pgx.Tx, def saga.Definition, r StartRequest) (id saga.ID, started bool, err error) {
	return s.start(ctx, pgxTx{s, tx}, def, r)
}

// StartSQL is [Store.Start] for database/sql and any driver that uses PostgreSQL's
// placeholders.
func (s *Store) StartSQL(ctx context.Context, tx *sql.Tx, def saga.Definition, r StartRequest) (id saga.ID, started bool, err error) {
	return s.start(ctx, sqlTx{s, tx}, def, r)
}

// callerTx is the caller's transaction, whatever it is made of.
type callerTx interface {
	// row runs a query and scans its row; found is false if there is none.
	row(ctx context.Context, query string, args []any, into ...any) (found bool, err error)
	// parameters are those of outbox/append.sql.
	parameters(ctx context.Context, messages []outbox.Message) ([]any, error)
}

func (s *Store) start(ctx context.Context, tx callerTx, def saga.Definition, r StartRequest) (saga.ID, bool, error) {
	fail := func(err error) (saga.ID, bool, error) {
		return saga.ID{}, false, fmt.Errorf("start saga %s, business key %q: %w", def.Name, r.BusinessKey, err)
	}
	if n := len(r.BusinessKey); n > protocol.MaxText {
		// It travels with the events of the saga's end.
		return saga.ID{}, false, fmt.Errorf("start saga %s: the business key has %d bytes, at most %d are allowed",
			def.Name, n, protocol.MaxText)
	}
	if r.Now.IsZero() {
		now, id, found, err := s.started(ctx, tx, def.Name, r.BusinessKey)
		if err != nil {
			return fail(err)
		}
		if found {
			return id, false, nil
		}
		r.Now = now
	}
	if r.ID == (saga.ID{}) {
		drawn, err := uuid.NewV7()
		if err != nil {
			return fail(err)
		}
		r.ID = saga.ID(drawn)
	}
	first, err := saga.Start(def, saga.StartParams{ID: r.ID, BusinessKey: r.BusinessKey, Payload: r.Payload}, r.Now)
	if err != nil {
		return fail(err)
	}
	if _, err := protocol.Content(first.Next.Payload, nil); err != nil {
		return fail(err)
	}
	stored, err := s.insert(ctx, tx, def, first)
	if err != nil {
		return fail(err)
	}
	if !stored {
		id, err := s.notStored(ctx, tx, def, r.BusinessKey)
		if err != nil {
			return fail(err)
		}
		return id, false, nil
	}
	return first.Next.ID, true, nil
}

// started asks for the time and for the saga that has the key already.
func (s *Store) started(ctx context.Context, tx callerTx, name, key string) (now time.Time, id saga.ID, found bool, err error) {
	var micros int64
	var text string
	if _, err := tx.row(ctx, s.query("started"), []any{name, key}, &micros, &text); err != nil {
		return time.Time{}, saga.ID{}, false, err
	}
	if text == "" {
		return time.UnixMicro(micros), saga.ID{}, false, nil
	}
	parsed, err := uuid.Parse(text)
	return time.UnixMicro(micros), saga.ID(parsed), true, err
}

func (s *Store) insert(ctx context.Context, tx callerTx, def saga.Definition, first saga.Transition) (stored bool, err error) {
	_, hash, err := encode(def)
	if err != nil {
		return false, err
	}
	row, err := json.Marshal(toNewSagaRow(first.Next))
	if err != nil {
		return false, fmt.Errorf("encode the saga: %w", err)
	}
	history, err := json.Marshal(toHistoryRow(first))
	if err != nil {
		return false, fmt.Errorf("encode the history: %w", err)
	}
	messages, err := messagesOf([]Change{{first}})
	if err != nil {
		return false, err
	}
	appended, err := tx.parameters(ctx, messages)
	if err != nil {
		return false, err
	}
	args := append([]any{string(row), hash, string(history)}, appended...)
	var id string
	var announced *string
	return tx.row(ctx, s.query("start"), args, &id, &announced)
}

// notStored finds out why the insert did nothing: somebody else started the saga
// at the same moment and has committed, whose id it returns, or the definition is
// not stored.
func (s *Store) notStored(ctx context.Context, tx callerTx, def saga.Definition, key string) (saga.ID, error) {
	_, id, found, err := s.started(ctx, tx, def.Name, key)
	if err != nil || found {
		return id, err
	}
	_, hash, err := encode(def)
	if err != nil {
		return saga.ID{}, err
	}
	var version int
	var text, kept string
	found, err = tx.row(ctx, s.query("definition_load"), []any{def.Name, def.Version}, &version, &text, &kept)
	switch {
	case err != nil:
		return saga.ID{}, err
	case !found:
		return saga.ID{}, fmt.Errorf("definition %s version %d: %w: store it with `orchestrator definition apply FILE`",
			def.Name, def.Version, ErrNoDefinition)
	}
	if err := sameHash(def, hash, kept); err != nil {
		return saga.ID{}, err
	}
	return saga.ID{}, errors.New("the definition was stored only now; repeat the transaction")
}
