package quarantine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/inbox/blame"
	sagasql "go.example/saga/sql"
)

const (
	// dueSlices is how many transactions a round has at most: a hundred messages that fail
	// again must not be most of what a consumer gets.
	dueSlices = 5
	// forgetSlice is how many rows of a kind are deleted in one statement.
	forgetSlice = 500
)

// itself signs what nobody has ordered.
var itself = Signature{By: "itself"}

// Session is a way back that has to be closed.
type Session interface {
	Broker
	Close() error
}

// PutBackDue puts those messages of a consumer back whose next try has come, at most a
// hundred. It opens a session where there are any. What the broker does not take has had its
// try: it waits for the next, or is dead. Otherwise it is as [Store.Retry]. It may run at
// several places at once.
func (s *Store) PutBackDue(ctx context.Context, consumer string, open func(context.Context) (Session, error)) (result Result, err error) {
	result.Refused = []Refusal{}
	var broker Session
	defer func() {
		if broker != nil {
			err = errors.Join(err, broker.Close())
		}
	}()
	for range dueSlices {
		due, err := s.due(ctx, consumer)
		if err != nil || !due {
			return result, err
		}
		if broker == nil {
			if broker, err = open(ctx); err != nil {
				broker = nil // and no nil pointer inside of the interface
				return result, fmt.Errorf("put messages back (safe to retry): %w", err)
			}
		}
		if err := s.putBackSome(ctx, consumer, broker, &result); err != nil {
			return result, fmt.Errorf("put messages back (safe to retry, what was under way may come twice): %w", err)
		}
	}
	return result, nil
}

// due says whether anything is, so that there is no session for nothing.
func (s *Store) due(ctx context.Context, consumer string) (due bool, err error) {
	err = s.change(ctx, func(tx pgx.Tx) error {
		ids, err := s.choose(ctx, tx, "due", consumer, blame.LongestPause.Seconds(), 1)
		due = len(ids) > 0
		return err
	})
	if err != nil {
		err = fmt.Errorf("look for messages that are due (safe to retry): %w", err)
	}
	return due, err
}

// putBackSome is one transaction.
func (s *Store) putBackSome(ctx context.Context, consumer string, broker Broker, result *Result) error {
	var back []int64
	var refused []Refusal
	var trouble error
	err := s.change(ctx, func(tx pgx.Tx) error {
		taken, err := s.take(ctx, tx, "due", consumer, blame.LongestPause.Seconds(), retrySlice)
		if err != nil {
			return err
		}
		back, refused, _, trouble = putBack(ctx, broker, taken, 0)
		return errors.Join(s.handled(ctx, tx, back, Retried, itself), s.holdRefused(ctx, tx, taken, refused))
	})
	if err == nil {
		result.add(back, refused)
	}
	return errors.Join(err, trouble)
}

// holdRefused gives messages that cannot be put back their next try.
func (s *Store) holdRefused(ctx context.Context, tx pgx.Tx, taken []Original, refused []Refusal) error {
	if len(refused) == 0 {
		return nil
	}
	of := map[int64]Original{}
	for _, m := range taken {
		of[m.ID] = m
	}
	batch := &pgx.Batch{}
	for _, r := range refused {
		m := of[r.ID]
		Hold(batch, s.Schema, m.ID, m.Tries+1, Judge(m.Code, m.Named, m.Tries+1, seconds(m.Age)))
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("hold messages that cannot be put back: %w", err)
	}
	return nil
}

// Hold queues the statement that gives a message, which this transaction has locked, its
// next try, or makes it dead.
func Hold(batch *pgx.Batch, schema string, id int64, tries int, v blame.NextTry) {
	var pause *float64
	if !v.Dead {
		in := v.Pause.Seconds()
		pause = &in
	}
	batch.Queue(sagasql.Query(schema, "inbox/hold.sql"), id, tries, pause)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Retention is how long rows are kept that nobody needs. Zero is the default, [ForEver] is no end.
type Retention struct {
	// Handled is for those that were retried or discarded; 7 days by default.
	Handled time.Duration
	// Dead is for those that wait for somebody, since they were set aside last; 30 days by
	// default. After it their messages are lost.
	Dead time.Duration
}

const (
	// ForEver keeps rows.
	ForEver time.Duration = -1
	// KeepHandled and KeepDead are the defaults of [Retention].
	KeepHandled = 7 * 24 * time.Hour
	KeepDead    = 30 * 24 * time.Hour
)

// Forgotten is how many rows are gone.
type Forgotten struct{ Handled, Dead int64 }

// Forget deletes what is older than the retention says of a consumer's messages, in short
// transactions. It may run at several places at once. With an error it says what is gone.
func (s *Store) Forget(ctx context.Context, consumer string, keep Retention) (all Forgotten, err error) {
	for {
		var gone Forgotten
		err := s.change(ctx, func(tx pgx.Tx) (err error) {
			rows, _ := tx.Query(ctx, s.query("forget"), consumer, limit(keep.Handled, KeepHandled), limit(keep.Dead, KeepDead), forgetSlice)
			gone, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Forgotten])
			return err
		})
		if err != nil {
			return all, fmt.Errorf("delete what is old from inbox_quarantine (safe to retry): %w", err)
		}
		all.Handled, all.Dead = all.Handled+gone.Handled, all.Dead+gone.Dead
		if gone == (Forgotten{}) {
			return all, nil
		}
	}
}

// limit is in seconds; nil for no end.
func limit(keep, usual time.Duration) *float64 {
	switch {
	case keep < 0:
		return nil
	case keep == 0:
		keep = usual
	}
	s := keep.Seconds()
	return &s
}
