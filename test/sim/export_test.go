package sim

import (
	"time"

	"go.example/saga/pkg/outbox/desk"
	"go.example/saga/pkg/saga"
)

// Twin is the entry of one step in the twin of the barrier, for its comparison with
// the barrier.
type Twin struct{ entry guard }

// Enter and Leave are the twin's.
func (t *Twin) Enter(op saga.Operation) (run bool, answer saga.Outcome) {
	return t.entry.enter(numbered(op))
}

// Leave keeps what came of the work.
func (t *Twin) Leave(op saga.Operation, outcome saga.Outcome, number int) {
	t.entry.leave(numbered(op), outcome, int8(number))
}

// Number is the output that is kept.
func (t *Twin) Number() int { return int(t.entry.number) }

// What the twin of the outbox hands out and takes.
type (
	Position = position
	Written  = written
	Due      = due
)

// Store is the twin of an outbox with what the relay keeps of it, for its comparison
// with PostgreSQL.
type Store struct{ w world }

// NewStore is an empty one.
func NewStore() *Store { return &Store{world{tally: &Tally{}, healed: true}} }

// Draft is what a transaction has written.
type Draft struct{ draft draft }

// Begin begins a transaction.
func (s *Store) Begin() *Draft { return &Draft{s.w.newDraft(0)} }

// Write writes a message, one of two kinds; it may be for much later. False: another
// transaction has written of the aggregate, and this one would wait.
func (s *Store) Write(d *Draft, aggregate int, reply, later bool) (desk.Message, bool) {
	v := &s.w.services[0]
	m := message{note: note{kind: aNotice}, aggregate: int8(aggregate)}
	if reply {
		m.note.kind = aReply
	}
	if later {
		m.later = s.w.now + time.Hour
	}
	if v.locked[aggregate] && !d.draft.locks[aggregate] {
		return desk.Message{}, false
	}
	s.w.write(&d.draft, m)
	return s.Message(d.draft.end - 1), true
}

// Commit commits the transaction.
func (s *Store) Commit(d *Draft) { s.w.commitDraft(&d.draft) }

// RollBack rolls it back.
func (s *Store) RollBack(d *Draft) { s.w.rollBack(&d.draft) }

// Message is what a desk is told of a row.
func (s *Store) Message(id int) desk.Message { return s.w.message(0, id) }

// Read reads a page: the rows, the places behind each, and the one behind all.
func (s *Store) Read(from Position, most int) (ids []int, after []Position, end Position) {
	var p page
	s.w.services[0].readPage(&p, from, most)
	for i := range p.ids {
		after = append(after, p.after(i))
	}
	return p.ids, after, p.end
}

// Stored says that the broker has the message.
func (s *Store) Stored(id int) { s.w.services[0].row(id).stored = true }

// Save saves the progress of a relay.
func (s *Store) Save(w *Written) (blocked []string) { return s.w.savePosition(0, w) }

// Position is the one that was saved.
func (s *Store) Position() Position { return s.w.services[0].position }

// Blocked are the aggregates that wait.
func (s *Store) Blocked() []string { return s.w.services[0].blocked() }

// Due are the parked messages that are due, and whether one will be or is.
func (s *Store) Due(heads int, inWork []int64) (found []Due, some bool) {
	_, some = s.w.services[0].nextDue(inWork)
	return s.w.services[0].due(nil, heads, s.w.now, inWork), some
}

// Retry is an operator's: all that were refused are due.
func (s *Store) Retry() { s.w.changeParked(0) }

// Pass lets time pass.
func (s *Store) Pass() { s.w.now += time.Millisecond }

// Broken is what the store objects to; nil: to nothing.
func (s *Store) Broken() *Violation { return s.w.broken }

// Aggregates is how many there are.
const Aggregates = aggregates
