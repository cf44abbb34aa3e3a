package sim

import (
	"time"

	"go.example/saga/pkg/saga"
)

// orchestrate takes what has arrived into one transaction. Usually it commits at
// once; sometimes another instance is quicker, and it must notice.
func (w *world) orchestrate(first note) {
	t := w.newTx()
	t.notes = w.gather(append(t.notes, first), atOrchestrator, 0)
	for _, n := range t.notes {
		w.apply(t, n)
	}
	t.draft = w.newDraft(0)
	for i := range t.done {
		w.writeEffects(&t.draft, &t.done[i])
	}
	w.chatter(&t.draft)
	if w.strikes(w.swarm.stale, faultSlow) {
		w.plan(appointment{at: w.now + time.Duration(1+w.below(24))*time.Millisecond, place: atCommit, tx: t})
		return
	}
	w.commit(t)
}

func (w *world) apply(t *tx, n note) {
	if w.rows[n.saga].history == 0 {
		return // nothing is known of it yet: a signal or verb that comes too soon is refused
	}
	before := w.rows[n.saga].state
	if t.read[n.saga] != 0 {
		before = t.done[t.last[n.saga]].tr.Next
	}
	w.follow(&before)
	if n.kind == aTimer && w.rests(&before, n) {
		return
	}
	tr, ok := w.decide(before, n)
	if !ok {
		return
	}
	if t.read[n.saga] == 0 {
		t.read[n.saga] = before.Version
	}
	t.last[n.saga] = len(t.done)
	t.done = append(t.done, applied{note: n, before: before, tr: tr})
}

// decide asks the core. A saga that does not fit the other version keeps its own.
func (w *world) decide(s saga.State, n note) (tr saga.Transition, ok bool) {
	w.follow(&s)
	if n.kind == aTimer {
		return saga.Step(w.def, s, w.timerOf(n.saga), w.clock()), true
	}
	if n.kind != aMove {
		return saga.Step(w.def, s, n.event(), w.clock()), true
	}
	tr, err := saga.MigrateTo(w.def, w.shapes[1].def, s, "ada", w.clock())
	if err != nil {
		w.tell("not moved: %v", err)
		return tr, false
	}
	w.tally.Moved++
	return tr, true
}

// commit ends the transaction. A process may die before or after, or not hear that
// it was done: then the deliveries come again.
func (w *world) commit(t *tx) {
	switch {
	case w.strikes(w.swarm.crash, faultCrashBefore):
		w.tell("the orchestrator dies before its commit")
		w.rollBack(&t.draft)
		w.again(t)
	case !w.save(t):
		w.tell("the orchestrator has read what is no longer true, and rolls back")
		w.again(t)
	case w.strikes(w.swarm.crash, faultCrashAfter):
		w.tell("the orchestrator dies after its commit, before it acknowledges")
		w.again(t)
	}
	w.spare = append(w.spare, t)
}

// again delivers once more what the transaction was about.
func (w *world) again(t *tx) {
	for _, n := range t.notes {
		w.plan(appointment{at: w.now + w.delay(), place: atOrchestrator, note: n})
	}
}

// arm plans the saga's timer for when it is due, by the row that was committed.
func (w *world) arm(i int8) {
	r := &w.rows[i]
	var wake time.Duration
	if at := r.state.WakeAt(); !at.IsZero() {
		wake = max(at.Sub(epoch), 1)
	}
	if wake == r.wake {
		return
	}
	r.wake = wake
	r.round++
	if wake != 0 {
		w.plan(appointment{at: wake + w.delay() - time.Millisecond, place: atTimer, round: r.round, note: note{kind: aTimer, saga: i, step: -1}})
	}
}

// timer finds the saga due. One that is no longer meant was read long ago.
func (w *world) timer(a appointment) {
	r := &w.rows[a.note.saga]
	if a.round != r.round && !w.strikes(w.swarm.early, faultEarly) {
		return
	}
	if a.round == r.round {
		r.wake = 0 // it is read again when this has been dealt with
	}
	w.orchestrate(a.note)
}
