package orchestrator

import (
	"time"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

// batch applies events to the sagas that one transaction has locked.
type batch struct {
	now   time.Time
	sagas map[saga.ID]*member
	order []saga.ID
}

// member is one saga of a batch and what has happened to it so far.
type member struct {
	sagapg.Loaded
	change sagapg.Change
}

func newBatch(loaded []sagapg.Loaded, now time.Time) *batch {
	b := &batch{now: now, sagas: make(map[saga.ID]*member, len(loaded))}
	for _, l := range loaded {
		b.sagas[l.State.ID] = &member{Loaded: l}
		b.order = append(b.order, l.State.ID)
	}
	return b
}

// apply steps the saga, each time from the state that the step before left. known
// is false if no such saga was loaded. One whose plan this program cannot follow can only
// be killed; nothing else is even recorded.
func (b *batch) apply(id saga.ID, e saga.Event) (t saga.Transition, known bool) {
	m, known := b.sagas[id]
	if !known {
		return saga.Transition{}, false
	}
	if m.Unknown != nil && !kills(e) {
		refusal := saga.HistoryEntry{From: m.State.Status, To: m.State.Status, Disposition: saga.Refused, Detail: m.Unknown.Error()}
		if _, isReply := e.(saga.Reply); isReply {
			refusal.Disposition = saga.Quarantined
		}
		return saga.Transition{Next: m.State, Entry: refusal}, true
	}
	t = saga.Step(m.Definition, m.State, e, b.now)
	m.State = t.Next
	m.change = append(m.change, t)
	return t, true
}

func kills(e saga.Event) bool {
	action, ok := e.(saga.Action)
	return ok && action.Verb == saga.Kill
}

// changes lists what happened, by saga in the order of loading.
func (b *batch) changes() []sagapg.Change {
	changes := make([]sagapg.Change, len(b.order))
	for i, id := range b.order {
		changes[i] = b.sagas[id].change
	}
	return changes
}
