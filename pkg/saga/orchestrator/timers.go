package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// RunTimers fires due timers until ctx ends, then finishes the batch in hand and
// returns nil. Nothing else ends it: the database may be absent at the start and
// go away at any time.
func (e *Engine) RunTimers(ctx context.Context) error {
	s := e.newSweeper()
	for ctx.Err() == nil {
		wait(ctx, s.round(ctx))
	}
	return nil
}

func (e *Engine) newSweeper() *sweeper {
	return &sweeper{
		Engine: e, limit: e.MaxBatch, postponed: map[saga.ID]postponed{},
		queues: queues{ask: e.Queues, log: e.Log, known: map[string]*service{}},
	}
}

// sweeper is one loop over the timers.
type sweeper struct {
	*Engine
	// limit is the size of the next batch. It is halved when a batch fails, until
	// the saga that is to blame stands alone, and grows again after.
	limit int
	// postponed sagas failed alone; they are left out for a while.
	postponed map[saga.ID]postponed
	// failures counts the rounds in a row that failed.
	failures int
	// recountAt is when to look for sagas of the future again.
	recountAt time.Time
	// seen is when messages were first seen to be published.
	seen sagapg.Published
	// queues is who takes what was published.
	queues queues
}

type postponed struct {
	until time.Time
	why   error
}

// round fires one batch and returns how long to wait before the next.
func (s *sweeper) round(ctx context.Context) time.Duration {
	if err := s.recount(ctx); err != nil {
		return s.failed(ctx, nil, err)
	}
	except := s.except(time.Now())
	fired, err := s.fire(ctx, except)
	if err != nil {
		return s.failed(ctx, fired, err)
	}
	if s.failures > 0 {
		s.Log.Info("timers fire again")
	}
	s.failures = 0
	s.keep(s.leftOut())
	full := len(fired) == s.limit
	s.limit = min(2*s.limit, s.MaxBatch)
	if full {
		return 0
	}
	return s.untilNext(ctx, except)
}

// fire applies the timers of one batch in one transaction. It returns the sagas
// that were in it, also with an error. No lock is held while the broker is asked.
func (s *sweeper) fire(ctx context.Context, except []saga.ID) (ids []saga.ID, err error) {
	since := time.Now().Add(-s.timing.ask)
	for {
		// The end of ctx must not cut a batch in two.
		ids, ask, err := s.fireAsked(context.WithoutCancel(ctx), except, since)
		if err != nil || len(ask) == 0 || ctx.Err() != nil {
			return ids, err
		}
		s.queues.look(ctx, ask)
	}
}

// fireAsked does the work of fire if all is known of the queues that matter since the given
// time. Else it changes nothing, and returns the destinations to ask about.
func (s *sweeper) fireAsked(ctx context.Context, except []saga.ID, since time.Time) (ids []saga.ID, ask []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timing.batch)
	defer cancel()
	tx, err := sagapg.Begin(ctx, s.DB)
	if err != nil {
		return nil, nil, fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if err != nil && !errors.Is(err, errCommit) && tx.Conn().IsClosed() {
			err = fmt.Errorf("%w: %w", errLost, err)
		}
		_ = tx.Rollback(ctx) // does nothing after the commit
	}()
	due, now, err := s.Store.Due(ctx, tx, s.limit, except, &s.seen)
	if err != nil {
		return nil, nil, err
	}
	matter := make([][]string, len(due))
	for i, l := range due {
		if l.Unknown == nil {
			matter[i] = l.Timer.Destinations(l.Definition, l.State, now)
		}
	}
	if ask := s.queues.stale(slices.Concat(matter...), since); len(ask) > 0 {
		return nil, ask, nil
	}
	for i := range due {
		due[i].Timer.Queues = s.queues.said(matter[i], now)
	}
	ids, err = s.apply(ctx, tx, due, now)
	return ids, nil, err
}

// apply gives the sagas their timers, and commits. It returns the sagas in any case.
func (s *sweeper) apply(ctx context.Context, tx pgx.Tx, due []sagapg.Loaded, now time.Time) ([]saga.ID, error) {
	b := newBatch(due, now)
	var fired []saga.Transition
	resting := map[saga.ID]time.Time{}
	for _, l := range due {
		if l.Unknown != nil { // the meter tells of it; a newer program takes it up soon
			resting[l.State.ID] = now.Add(s.timing.postpone)
			continue
		}
		if until := l.Timer.Rests(l.Definition, l.State, now); !until.IsZero() {
			resting[l.State.ID] = until
			continue
		}
		t, _ := b.apply(l.State.ID, l.Timer)
		fired = append(fired, t)
	}
	if err := s.Store.Rest(ctx, tx, resting); err != nil {
		return b.order, err
	}
	if err := s.Store.Save(ctx, tx, b.changes()); err != nil {
		return b.order, err
	}
	if err := tx.Commit(ctx); err != nil {
		return b.order, notCommitted(err)
	}
	for _, t := range fired {
		s.tell(t)
	}
	return b.order, nil
}

var (
	errLost   = errors.New("the connection was lost")
	errCommit = errors.New("commit")
)

// notCommitted words the failure of a commit. The pool has the connection back by then, and
// may have given it to somebody else: it cannot be asked whether it was lost.
func notCommitted(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return fmt.Errorf("%w: %w", errCommit, err)
	}
	return fmt.Errorf("%w: %w: %w", errCommit, errLost, err)
}

// failed makes the next batch smaller, or leaves the one saga in it out.
func (s *sweeper) failed(ctx context.Context, ids []saga.ID, err error) time.Duration {
	err = s.Store.ExplainRights(ctx, s.DB, err, sagapg.RightsToDrive...)
	s.failures++
	if ofTheDatabase(err) {
		ids = nil
	}
	var alone *sagapg.SagaError
	if errors.As(err, &alone) {
		ids = []saga.ID{alone.ID}
	}
	if len(ids) == 1 {
		leave := s.timing.postpone
		if errors.Is(err, errLost) {
			leave = 2 * s.timing.sweep // hardly the saga's fault, but let others go first
		}
		s.postponed[ids[0]] = postponed{time.Now().Add(leave), err}
		s.keep(s.leftOut())
		s.Log.Error("the timer of a saga fails, leaving it out for a while", zap.Error(err),
			zap.Stringer("saga", uuid.UUID(ids[0])), zap.Duration("for", leave))
		return 0
	}
	s.keep(err)
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
	for id, p := range s.postponed {
		if now.After(p.until) {
			delete(s.postponed, id)
			continue
		}
		ids = append(ids, id)
	}
	return ids
}

// leftOut says why sagas are left out, nil if none is.
func (s *sweeper) leftOut() error {
	for id, p := range s.postponed {
		why := p.why
		if alone := (*sagapg.SagaError)(nil); !errors.As(why, &alone) {
			why = &sagapg.SagaError{ID: id, Err: why}
		}
		return fmt.Errorf("sagas whose timers fail are left out: %d, one of them is %w", len(s.postponed), why)
	}
	return nil
}

// ofTheDatabase says that an error is no saga's own, by its class: a right, a table or a
// column is missing, the database only reads, its disk or its memory is full.
func ofTheDatabase(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && slices.Contains([]string{"25", "28", "3D", "3F", "42", "53"}, pg.Code[:min(2, len(pg.Code))])
}

// untilNext is the time to the next timer, at most one sweep.
func (s *sweeper) untilNext(ctx context.Context, except []saga.ID) time.Duration {
	next, set, err := s.Store.NextWake(ctx, s.DB, except)
	if err != nil {
		return s.failed(ctx, nil, err)
	}
	if !set {
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
