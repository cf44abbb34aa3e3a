package sagapg

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrOverloaded: too many sagas are running to begin another one. Nothing was done;
// trying again later is safe.
var ErrOverloaded = errors.New("too many sagas are running")

// gateEvery is how long a [Gate] goes by what it saw: how many sagas may be started
// past its limit, and how often it costs a query.
const gateEvery = 250 * time.Millisecond

// Gate keeps starts from outrunning completions: who starts sagas asks it first. What
// it refuses is refused while that costs nothing; what is begun in excess of what the
// participants can do would time out, be sent again and turn back, which is more work
// still. Sagas that are PARKED or paused wait for an operator and do not count.
//
// A Gate is safe for concurrent use.
type Gate struct {
	// Changed, if it is set before the first call, is told when the gate has shut, and
	// when it has opened again.
	Changed func(shut bool)

	store *Store
	db    DB
	most  int
	every time.Duration
	// looking holds a token while somebody looks.
	looking chan struct{}
	last    atomic.Pointer[look]
}

// look is what a gate saw.
type look struct {
	at      time.Time
	running int // at most one more than are allowed
}

// NewGate makes a gate that is shut while more than most sagas run in the database.
// One does for all that start sagas in a process.
func (s *Store) NewGate(db DB, most int) *Gate {
	return &Gate{store: s, db: db, most: most, every: gateEvery, looking: make(chan struct{}, 1)}
}

// Admit is nil if another saga may be started now, else [ErrOverloaded]. It does not
// count what it admits: it looks at the database at most every 250 ms, one caller for
// all, and in between it costs nothing. An error of the database, or of ctx, concerns
// the caller that looked; it is safe to try again.
func (g *Gate) Admit(ctx context.Context) error {
	seen, err := g.look(ctx)
	switch {
	case err != nil:
		return err
	case g.shut(seen):
		return fmt.Errorf("%w: more than the %d that are allowed; nothing was started, try again later", ErrOverloaded, g.most)
	}
	return nil
}

// look returns what was seen last, unless that is too long ago and nobody looks.
func (g *Gate) look(ctx context.Context) (*look, error) {
	seen := g.last.Load()
	if g.fresh(seen) {
		return seen, nil
	}
	select {
	case g.looking <- struct{}{}:
	default:
		if seen != nil {
			return seen, nil
		}
		select { // the first look of all is waited for
		case g.looking <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait to learn how many sagas run: %w", ctx.Err())
		}
	}
	defer func() { <-g.looking }()
	before := g.last.Load()
	if g.fresh(before) {
		return before, nil
	}
	running, err := g.store.Running(ctx, g.db, g.most+1)
	if err != nil {
		return nil, err
	}
	seen = &look{at: time.Now(), running: running}
	g.last.Store(seen)
	if shut := g.shut(seen); g.Changed != nil && shut != (before != nil && g.shut(before)) {
		g.Changed(shut)
	}
	return seen, nil
}

func (g *Gate) shut(seen *look) bool { return seen.running > g.most }

func (g *Gate) fresh(seen *look) bool { return seen != nil && time.Since(seen.at) < g.every }

// Running counts the sagas that run, up to the bound. PARKED and paused ones do not
// count once their timers have been looked at.
func (s *Store) Running(ctx context.Context, db DB, bound int) (n int, err error) {
	if err := db.QueryRow(ctx, s.query("running"), bound).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the sagas that run (safe to retry): %w", err)
	}
	return n, nil
}
