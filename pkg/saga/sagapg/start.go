package sagapg

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// StartRequest is what distinguishes one saga of a definition from another.
type StartRequest struct {
	// ID is the saga's, for who writes it down beside his own rows before the start: a
	// UUID of version 7 that was drawn for this saga alone, since ids order sagas by
	// their age. Zero draws one.
	ID saga.ID
	// BusinessKey makes the start idempotent: a second one of the same definition's
	// name with the same key finds the first saga. Empty means none; at most 255
	// bytes.
	BusinessKey string
	// Webhooks are the names of those outside who are told when this saga ends, besides those
	// of the definition; see package webhook.
	Webhooks []string
	// Payload goes with every event of the saga and every command that is not sent a
	// part of it, and is kept in its row: no secrets. What is left of
	// [protocol.MaxContent] is for the steps' outputs.
	Payload jsonmap.JSONMap
	// Quiet leaves the NOTIFY out, as [outbox.Schema.Quiet] does: for a transaction that is to
	// be prepared for two-phase commit.
	Quiet bool
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
	return s.start(ctx, pgxTx{tx}, def, r)
}

// Queue puts the start of any number of sagas into a batch, behind the statements of the
// caller's own rows. Sent outside of a transaction, a batch is one by itself, so that
// all of it costs one round trip:
//
//	batch := &pgx.Batch{}
//	batch.Queue(`INSERT INTO orders …`, …)
//	ids, err := store.Queue(ctx, batch, trip, request)
//	err = pool.SendBatch(ctx, batch).Close() // nil: all is committed
//
// A [github.com/jackc/pgx/v5/pgconn.PgError] of severity ERROR means that nothing of the batch was done. After
// another error of the batch the outcome may be unknown: the connection was lost, or a
// pooler has given up (FATAL) on what the server may yet commit. What [Store.Start] would return as not started fails the batch: SQLSTATE
// 23505 of the constraint saga_business_key_unique, where a key was used before, and
// 23503 of saga_definition_stored. Where the schema belongs to another service, it is
// 23514 of saga_service_is_another, as it is of [Store.Start]. The ids are in the order of the requests.
func (s *Store) Queue(ctx context.Context, batch *pgx.Batch, def saga.Definition, requests ...StartRequest) ([]saga.ID, error) {
	ids, args, err := s.prepare(ctx, pgxTx{}, def, requests)
	if err != nil {
		return nil, fmt.Errorf("start %d sagas %s: %w", len(requests), def.Name, err)
	}
	batch.Queue(s.query("start"), append(args, true)...)
	return ids, nil
}

// StartSQL is [Store.Start] for database/sql and any driver that uses PostgreSQL's
// placeholders.
func (s *Store) StartSQL(ctx context.Context, tx *sql.Tx, def saga.Definition, r StartRequest) (id saga.ID, started bool, err error) {
	return s.start(ctx, sqlTx{tx}, def, r)
}

// callerTx is the caller's transaction, whatever it is made of.
type callerTx interface {
	// row runs a query and scans its row; found is false if there is none.
	row(ctx context.Context, query string, args []any, into ...any) (found bool, err error)
	// driver is the transaction as the outbox knows it.
	driver() any
}

func (s *Store) start(ctx context.Context, tx callerTx, def saga.Definition, r StartRequest) (saga.ID, bool, error) {
	fail := func(err error) (saga.ID, bool, error) {
		return saga.ID{}, false, fmt.Errorf("start saga %s, business key %q: %w", def.Name, r.BusinessKey, err)
	}
	ids, args, err := s.prepare(ctx, tx, def, []StartRequest{r})
	if err != nil {
		return fail(err)
	}
	id, stored := ids[0], false
	if _, err = tx.row(ctx, s.query("start"), append(args, false), &stored); err == nil && !stored {
		id, err = s.notStored(ctx, tx, def, r.BusinessKey)
	}
	if err != nil {
		return fail(err)
	}
	return id, stored, nil
}

// prepare decides all that the starts decide, and returns the parameters of start.sql but
// for the last.
func (s *Store) prepare(ctx context.Context, tx callerTx, def saga.Definition, requests []StartRequest) (ids []saga.ID, args []any, err error) {
	ids, rows := make([]saga.ID, len(requests)), make([]startRow, len(requests))
	changes := make([]Change, len(requests))
	quiet := false
	for i, r := range requests {
		quiet = quiet || r.Quiet
		first, err := decide(def, r)
		if err != nil {
			return nil, nil, err
		}
		ids[i], rows[i], changes[i] = first.Next.ID, toStartRow(first), Change{first}
	}
	hash, err := s.hash(def)
	if err != nil {
		return nil, nil, err
	}
	sagas, err := json.Marshal(rows)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the sagas: %w", err)
	}
	messages, err := s.messagesOf(changes)
	if err != nil {
		return nil, nil, err
	}
	to := s.outbox
	if quiet {
		to = to.Quiet()
	}
	appended, err := to.Parameters(ctx, tx.driver(), messages...)
	if err != nil {
		return nil, nil, err
	}
	return ids, append([]any{s.service, def.Name, def.Version, hash, string(sagas)}, appended...), nil
}

// decide is a saga's first transition, as of [startedAt].
func decide(def saga.Definition, r StartRequest) (saga.Transition, error) {
	if n := len(r.BusinessKey); n > protocol.MaxText {
		// It travels with the events of the saga's end.
		return saga.Transition{}, fmt.Errorf("the business key has %d bytes, at most %d are allowed", n, protocol.MaxText)
	}
	if r.ID == (saga.ID{}) {
		drawn, err := uuid.NewV7()
		if err != nil {
			return saga.Transition{}, err
		}
		r.ID = saga.ID(drawn)
	}
	first, err := saga.Start(def, saga.StartParams{ID: r.ID, BusinessKey: r.BusinessKey, Payload: r.Payload, Webhooks: r.Webhooks}, startedAt)
	if err != nil {
		return saga.Transition{}, err
	}
	if err := protocol.Fits(first.Next.Payload, nil); err != nil {
		return saga.Transition{}, err
	}
	return first, nil
}

// hashed is a definition that sagas were started with, and its hash.
type hashed struct {
	def  saga.Definition
	hash string
}

// hash is the definition's. It is remembered: callers start one saga after the other.
func (s *Store) hash(def saga.Definition) (string, error) {
	key := definitionKey{def.Name, def.Version}
	if k, ok := s.hashes.Load(key); ok && reflect.DeepEqual(k.(hashed).def, def) {
		return k.(hashed).hash, nil
	}
	text, hash, err := encode(def)
	if err != nil {
		return "", err
	}
	// A copy, since the caller may go on with his own.
	if again, err := decode(def.Name, def.Version, text, hash); err == nil {
		s.hashes.Store(key, hashed{again, hash})
	}
	return hash, nil
}

// notStored finds out why the insert did nothing: the business key was used before,
// by the saga whose id it returns, or the definition is not stored.
func (s *Store) notStored(ctx context.Context, tx callerTx, def saga.Definition, key string) (saga.ID, error) {
	var text string
	found, err := tx.row(ctx, s.query("started"), []any{def.Name, key}, &text)
	if err != nil {
		return saga.ID{}, err
	}
	if found {
		id, err := uuid.Parse(text)
		return saga.ID(id), err
	}
	_, hash, err := encode(def)
	if err != nil {
		return saga.ID{}, err
	}
	var version int
	var plan, kept string
	found, err = tx.row(ctx, s.query("definition_load"), []any{def.Name, def.Version}, &version, &plan, &kept)
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
