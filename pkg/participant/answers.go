package participant

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	sagasql "go.example/saga/sql"
)

// mayLie is how long answers may lie in the outbox before no more commands are taken. It is
// shorter than the attempts of any sensible step together, and longer than a relay that works
// needs, or one that hands its shards to the next.
const mayLie = 2 * time.Second

// ErrAnswersLie says that answers do not leave the service's outbox, or could not, because no
// relay serves it: so no commands are taken.
var ErrAnswersLie = errors.New("answers do not leave the outbox of this database, so no commands are taken; " +
	"does a relay run, is the database in its DATABASE_URLS, and what does `relay status` say of it?")

var errUnknown = errors.New("it is not known yet whether a relay serves the outbox")

// answers knows whether what is answered leaves the outbox. While it does not, sagas would
// be judged as if nobody had answered. It asks only while answers are out.
type answers struct {
	db      *pgxpool.Pool
	leftSQL string
	log     *zap.Logger
	mayLie  time.Duration

	asking sync.Mutex // one question at a time

	mu sync.Mutex
	// oldest and newest are of those that are not known to have left. What was written in
	// between leaves between them.
	oldest, newest *written
	// trouble is the last answer; it stands until there is another.
	trouble error
	failing bool // the database could not be asked
}

// written is the answers of one transaction, which may not be committed yet.
type written struct {
	xact       string
	aggregates []string
	since      time.Time
}

func newAnswers(cfg Config) *answers {
	return &answers{
		db: cfg.DB, leftSQL: sagasql.Query(cfg.Schema, "participant/left.sql"), log: cfg.Log, mayLie: mayLie,
		trouble: errUnknown,
	}
}

// wrote notes that a transaction has written answers.
func (a *answers) wrote(xact string, aggregates []string, now time.Time) {
	w := &written{xact: xact, aggregates: aggregates, since: now}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.oldest == nil {
		a.oldest = w
	} else {
		a.newest = w
	}
}

// ready is nil while answers leave.
func (a *answers) ready(ctx context.Context) error {
	a.asking.Lock()
	defer a.asking.Unlock()
	for {
		a.mu.Lock()
		w, trouble := a.oldest, a.trouble
		a.mu.Unlock()
		if w == nil && trouble == nil {
			return nil
		}
		again, err := a.look(ctx, w)
		if !again {
			return err
		}
	}
}

// look asks about the oldest answers, and says whether to ask about the newest as well.
func (a *answers) look(ctx context.Context, w *written) (again bool, err error) {
	var aggregates []string
	var xact *string
	if w != nil {
		aggregates, xact = w.aggregates, &w.xact
	}
	var shards, unserved int
	var state string
	err = a.db.QueryRow(ctx, a.leftSQL, aggregates, xact).Scan(&shards, &unserved, &state)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		return false, a.notAsked(ctx, err)
	}
	a.failing = false
	if w != nil && a.lie(w, state) {
		a.trouble = fmt.Errorf("%w (some have lain there for %v; %d of its %d shards have no relay)",
			ErrAnswersLie, time.Since(w.since).Round(time.Second), unserved, shards)
		return false, a.trouble
	}
	// A relay may hand its shards to the next one: only who begins waits for it.
	if a.trouble != nil && unserved > 0 {
		a.trouble = fmt.Errorf("%w (%d of its %d shards have no relay)", ErrAnswersLie, unserved, shards)
		return false, a.trouble
	}
	a.trouble = nil
	return a.oldest != nil && a.oldest != w, nil
}

// notAsked keeps the last answer: the pool may be dry, or the database away, which says
// nothing of the relay.
func (a *answers) notAsked(ctx context.Context, err error) error {
	if !a.failing && ctx.Err() == nil {
		a.log.Warn("whether answers leave the outbox cannot be asked", zap.Error(err))
	}
	a.failing = true
	if a.trouble != nil {
		return fmt.Errorf("%w; it cannot be asked now: %w", a.trouble, err)
	}
	return nil
}

// lie says whether the oldest answers have lain for too long.
func (a *answers) lie(w *written, state string) bool {
	switch state {
	case "left":
		a.oldest, a.newest = a.newest, nil
	case "open":
		w.since = time.Now()
	default:
		return time.Since(w.since) >= a.mayLie
	}
	return false
}
