package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// RunTimers fires due timers until ctx ends, then finishes the batch in hand and
// returns nil. Nothing else ends it: the database may be absent at the start and
// go away at any time.
func (e *Engine) RunTimers(ctx context.Context) error {
	s := sweeper{Engine: e, limit: e.MaxBatch, postponed: map[saga.ID]time.Time{}}
	for ctx.Err() == nil {
		wait(ctx, s.round(ctx))
	}
	return nil
}

// sweeper is one loop over the timers.
type sweeper struct {
	*Engine
	// limit is the size of the next batch. It is halved when a batch fails, until
	// the saga that is to blame stands alone, and grows again after.
	limit int
	// postponed sagas failed alone; they are left out until the time given.
	postponed map[saga.ID]time.Time
	// failures counts the rounds in a row that failed.
	failures int
}

// round fires one batch and returns how long to wait before the next.
func (s *sweeper) round(ctx context.Context) time.Duration {
	except := s.except(time.Now())
	fired, err := s.fire(ctx, except)
	if err != nil {
		return s.failed(fired, err)
	}
	if s.failures > 0 {
		s.Log.Info("timers fire again")
	}
	s.failures = 0
	s.trouble.Store(nil)
	full := len(fired) == s.limit
	s.limit = min(2*s.limit, s.MaxBatch)
	if full {
		return 0
	}
	return s.untilNext(ctx, except)
}

// fire applies the timers of one batch in one transaction. It returns the sagas
// that were in it, also with an error.
func (s *sweeper) fire(ctx context.Context, except []saga.ID) (ids []saga.ID, err error) {
	// The end of ctx must not cut a batch in two.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timing.batch)
	defer cancel()
	tx, err := s.DB.Begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if tx.Conn().IsClosed() && err != nil {
			err = fmt.Errorf("%w: %w", errLost, err)
		}
		_ = tx.Rollback(ctx) // does nothing after the commit
	}()
	due, now, err := s.Store.Due(ctx, tx, s.limit, except)
	if err != nil {
		return nil, err
	}
	b := newBatch(due, now)
	var fired []saga.Transition
	for _, id := range b.order {
		t, _ := b.apply(id, saga.Timer{})
		fired = append(fired, t)
	}
	if err := s.Store.Save(ctx, tx, b.changes()); err != nil {
		return b.order, err
	}
	if err := tx.Commit(ctx); err != nil {
		return b.order, fmt.Errorf("commit: %w", err)
	}
	for _, t := range fired {
		s.tell(t)
	}
	return b.order, nil
}

var errLost = errors.New("the connection was lost")

// failed makes the next batch smaller, or leaves the one saga in it out.
func (s *sweeper) failed(ids []saga.ID, err error) time.Duration {
	s.failures++
	s.trouble.Store(&err)
	var alone *sagapg.SagaError
	if errors.As(err, &alone) {
		ids = []saga.ID{alone.ID}
	}
	if len(ids) == 1 {
		leave := s.timing.postpone
		if errors.Is(err, errLost) {
			leave = 2 * s.timing.sweep // hardly the saga's fault, but let others go first
		}
		s.postponed[ids[0]] = time.Now().Add(leave)
		s.Log.Error("the timer of a saga fails, leaving it out for a while", zap.Error(err),
			zap.Stringer("saga", uuid.UUID(ids[0])), zap.Duration("for", leave))
		return 0
	}
	pause := min(s.timing.sweep<<min(s.failures-1, 8), s.timing.maxPause)
	s.Log.Warn("firing timers failed, trying again", zap.Error(err), zap.Int("sagas", len(ids)), zap.Duration("pause", pause))
	if len(ids) > 1 {
		s.limit = len(ids) / 2
		return 0
	}
	return pause
}

// except lists the sagas that are left out, and forgets those whose time is over.
func (s *sweeper) except(now time.Time) []saga.ID {
	var ids []saga.ID
	for id, until := range s.postponed {
		if now.After(until) {
			delete(s.postponed, id)
			continue
		}
		ids = append(ids, id)
	}
	return ids
}

// untilNext is the time to the next timer, at most one sweep.
func (s *sweeper) untilNext(ctx context.Context, except []saga.ID) time.Duration {
	next, set, err := s.Store.NextWake(ctx, s.DB, except)
	if err != nil || !set {
		// An error shows again in the next round, which reports it.
		return s.timing.sweep
	}
	// An overdue one that this round did not get is locked by somebody else.
	return min(max(next, s.timing.sweep/10), s.timing.sweep)
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
