package quarantine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	sagasql "go.example/saga/sql"
)

const (
	// retrySlice is how many messages are put back in one transaction: so many can come
	// twice after a crash.
	retrySlice = 20
	// sliceTime is how long a transaction may talk to the broker. It is below the idle
	// time after which the database ends a session.
	sliceTime = 5 * time.Second
	// discardSlice is how many are discarded in one transaction.
	discardSlice = 500
)

// Original is what is published once more.
type Original struct {
	ID         int64
	Code       Code
	Named      bool // it has a message id
	Tries      int
	Age        float64 // in seconds, since it was set aside first
	Queue      string
	Properties json.RawMessage // as [inbox.Original] encodes them
	Headers    json.RawMessage
	Body       []byte
}

// Broker puts messages back into their queues.
type Broker interface {
	// PutBack returns nil when the broker has stored the message in its queue. Its error
	// Is [ErrRefused] where the message is to blame, or the queue is; others may go.
	PutBack(ctx context.Context, message Original) error
}

// ErrRefused: this message cannot be put back; others can.
var ErrRefused = errors.New("it cannot be put back")

// Signature is who changes messages, and why.
type Signature struct{ By, Note string }

// Result is what became of the messages of a [Store.Retry].
type Result struct {
	Retried int64     `json:"retried"`
	Refused []Refusal `json:"refused"` // these are as before
}

// Refusal is a message that could not be put back.
type Refusal struct {
	ID  int64  `json:"id"`
	Why string `json:"why"`
}

// Retry puts the messages of the filter that are held or dead back into their queues, the oldest first. It
// works in short transactions and calls progress after each. With an error the result says
// what was done; the call may be repeated for the rest. Messages that are set aside while
// it runs are left alone.
func (s *Store) Retry(ctx context.Context, f Filter, broker Broker, by Signature, progress func(retried int64)) (Result, error) {
	result := Result{Refused: []Refusal{}}
	last, err := s.newest(ctx)
	if err != nil {
		return result, err
	}
	for after := int64(0); ; {
		seen, err := s.retrySome(ctx, f, broker, by, after, last, &result)
		if err != nil {
			return result, fmt.Errorf("put messages back (safe to retry, what was under way may come twice): %w", err)
		}
		if seen == after {
			return result, nil
		}
		after = seen
		progress(result.Retried)
	}
}

// retrySome is one transaction. It returns the last id that was dealt with.
func (s *Store) retrySome(ctx context.Context, f Filter, broker Broker, by Signature, after, last int64, result *Result) (seen int64, err error) {
	var back []int64
	var refused []Refusal
	var trouble error
	err = s.change(ctx, func(tx pgx.Tx) error {
		taken, err := s.take(ctx, tx, "choose", f.args(after, last, retrySlice)...)
		if err != nil {
			return err
		}
		back, refused, seen, trouble = putBack(ctx, broker, taken, after)
		return s.handled(ctx, tx, back, Retried, by)
	})
	if err != nil {
		return after, errors.Join(err, trouble)
	}
	result.add(back, refused)
	return seen, trouble
}

func (r *Result) add(back []int64, refused []Refusal) {
	r.Retried += int64(len(back))
	r.Refused = append(r.Refused, refused...)
}

// change is one transaction, in which the broker may be waited for.
func (s *Store) change(ctx context.Context, work func(pgx.Tx) error) error {
	tx, err := s.DB.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer rollback(ctx, tx)
	if err := work(tx); err != nil {
		return sagasql.ExplainRights(ctx, s.DB, s.Schema, err, Rights)
	}
	// What was put back is marked also when the command is to end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sliceTime)
	defer cancel()
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// take locks what a query chooses, and reads it.
func (s *Store) take(ctx context.Context, tx pgx.Tx, query string, args ...any) ([]Original, error) {
	ids, err := s.choose(ctx, tx, query, args...)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	rows, _ := tx.Query(ctx, s.query("originals"), ids)
	taken, err := pgx.CollectRows(rows, pgx.RowToStructByName[Original])
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	return taken, nil
}

func (s *Store) choose(ctx context.Context, tx pgx.Tx, query string, args ...any) ([]int64, error) {
	rows, _ := tx.Query(ctx, s.query(query), args...)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("take messages: %w", err)
	}
	return ids, nil
}

// handled marks messages, also when the command is to end.
func (s *Store) handled(ctx context.Context, tx pgx.Tx, ids []int64, as State, by Signature) error {
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sliceTime)
	defer cancel()
	if _, err := tx.Exec(ctx, s.query("handled"), ids, as, by.By, by.Note); err != nil {
		return fmt.Errorf("mark messages %v as %s: %w", ids, as, err)
	}
	return nil
}

// putBack publishes until the time is over or the broker is in trouble. seen is the last
// that it knows the outcome of.
func putBack(ctx context.Context, broker Broker, taken []Original, after int64) (back []int64, refused []Refusal, seen int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, sliceTime)
	defer cancel()
	seen = after
	for i, message := range taken {
		err := broker.PutBack(ctx, message)
		switch {
		case err == nil:
			back = append(back, message.ID)
		case errors.Is(err, ErrRefused):
			refused = append(refused, Refusal{ID: message.ID, Why: err.Error()})
		case i > 0 && ctx.Err() != nil: // a new slice has its own time
			return back, refused, seen, nil
		default:
			return back, refused, seen, fmt.Errorf("message %d: %w", message.ID, err)
		}
		seen = message.ID
	}
	return back, refused, seen, nil
}

// Discard gives the messages of the filter that are held or dead up, the oldest first; by.Note says why.
// Otherwise it is as [Store.Retry].
func (s *Store) Discard(ctx context.Context, f Filter, by Signature, progress func(discarded int64)) (discarded int64, err error) {
	last, err := s.newest(ctx)
	if err != nil {
		return 0, err
	}
	for after := int64(0); ; {
		var ids []int64
		err := s.change(ctx, func(tx pgx.Tx) (err error) {
			if ids, err = s.choose(ctx, tx, "choose", f.args(after, last, discardSlice)...); err != nil {
				return err
			}
			return s.handled(ctx, tx, ids, Discarded, by)
		})
		if err != nil {
			return discarded, fmt.Errorf("discard messages (safe to retry): %w", err)
		}
		if len(ids) == 0 {
			return discarded, nil
		}
		discarded, after = discarded+int64(len(ids)), ids[len(ids)-1]
		progress(discarded)
	}
}

func (s *Store) newest(ctx context.Context) (id int64, err error) {
	if err = s.DB.QueryRow(ctx, s.query("newest")).Scan(&id); err != nil {
		err = fmt.Errorf("look into inbox_quarantine (safe to retry): %w", sagasql.ExplainRights(ctx, s.DB, s.Schema, err, Rights))
	}
	return id, err
}

// rollback ends a transaction that did not commit.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sliceTime)
	defer cancel()
	_ = tx.Rollback(ctx) // where it fails the pool discards the connection
}
