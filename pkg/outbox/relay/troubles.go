package relay

import (
	"fmt"
	"sync"
	"time"

	"go.example/saga/pkg/outbox/outboxpg"
)

// troubles are what keeps a tenure from doing all it should, and show it: first that the
// database does not take what was done, then that the broker asks to be left alone. Its
// methods are safe for concurrent use.
type troubles struct {
	board *board

	mu      sync.Mutex
	working bool   // there is a session to publish with
	blocked string // the broker's reason; empty while it takes messages
	silent  string // it confirms nothing; empty while it does
	save    error  // of the last save, a fault
	failed  time.Time
	parked  bool // that save had parked messages in it
	once    bool // a save has succeeded
}

func (t *troubles) begin() { t.change(func() { t.working = true }) }

// end: from now on the engine says what the matter is.
func (t *troubles) end() { t.change(func() { t.working = false }) }

// saved heals what a save has failed with. One without parked messages says little of one
// with them, so it does that only after a while: they would have come again by then.
func (t *troubles) saved(parked bool) {
	t.change(func() {
		t.once = true
		if parked || !t.parked || time.Since(t.failed) > unwrittenPause {
			t.save = nil
		}
	})
}

// unsaved shows that a save has failed, until it is healed.
func (t *troubles) unsaved(fault error, parked bool) {
	t.change(func() { t.save, t.parked, t.failed = fault, parked, time.Now() })
}

func (t *troubles) alarm(blocked bool, reason string) {
	t.change(func() {
		t.blocked = ""
		if blocked {
			t.blocked = "the broker has blocked the connection: " + reason
		}
	})
}

// quiet shows that the broker confirms nothing, or with the empty reason that it does.
func (t *troubles) quiet(reason string) { t.change(func() { t.silent = reason }) }

// broker is what is the matter with the broker.
func (t *troubles) broker() (State, string) {
	switch {
	case t.blocked != "":
		return Blocked, t.blocked
	case t.silent != "":
		return Unconfirmed, t.silent
	}
	return Active, ""
}

// saves says whether something was saved and nothing failed since.
func (t *troubles) saves() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.once && t.save == nil
}

// leaseOver is why the lease could not be renewed: the database's words, if it said some.
func (t *troubles) leaseOver() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.save == nil {
		return errLeaseOver
	}
	return &fault{stateOf(t.save), fmt.Errorf("the lease ended: %w", t.save)}
}

func (t *troubles) change(how func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	working, save := t.working, t.save
	formerState, formerReason := t.broker()
	how()
	state, reason := t.broker()
	switch {
	case t.save != nil:
		t.board.set(stateOf(t.save), t.save.Error())
	case !t.working || working && state == formerState && reason == formerReason && save == nil: // nothing new, or the engine says it
	default:
		t.board.set(state, reason)
	}
}

// unsaved is what a tenure has done and could not write down: messages that the broker
// has, above all. The next tenure writes it before it does anything else, if it can, so
// that a database which refuses to write costs no duplicates, however long it does.
type unsaved struct {
	tenure  *outboxpg.Tenure
	written written
	fault   error
	since   time.Time
}

// fits says that nothing has happened to the log since.
func (u *unsaved) fits(tenure *outboxpg.Tenure) bool { return tenure.Follows(u.tenure) }

// recent says that it is too early to be content with another relay that holds the shard: it
// may be about to fail by the same cause.
func (u *unsaved) recent() bool { return u != nil && time.Since(u.since) < unwrittenPause }
