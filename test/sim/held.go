package sim

import (
	"time"

	"go.example/saga/pkg/outbox/desk"
	"go.example/saga/pkg/saga"
)

// timerOf is the event for the saga's timer, with what the database knows of the commands
// that it has sent last, and the broker of who consumes.
func (w *world) timerOf(i int8) saga.Timer {
	o := &w.services[0].outbox
	id := o.last[i]
	if w.swarm.untold || id == 0 {
		return saga.Timer{}
	}
	if first := o.firstInTheWay(i); first > 0 {
		return saga.Timer{Held: "waits behind a parked message", Undeliverable: o.row(first).park == desk.Dead}
	}
	if m := o.row(id); m.known {
		return saga.Timer{Published: epoch.Add(m.knownAt), Queues: w.queues()}
	}
	return saga.Timer{Held: "waits for the relay"}
}

// rests puts the timer off where it has nothing to decide.
func (w *world) rests(before *saga.State, n note) bool {
	until := w.timerOf(n.saga).Rests(w.def, *before, w.clock())
	if until.IsZero() {
		return false
	}
	if r := &w.rows[n.saga]; r.wake == 0 {
		r.wake = until.Sub(epoch)
		w.plan(appointment{at: r.wake, place: atTimer, round: r.round, note: n})
	}
	return true
}

// checkWaited holds that an attempt that is over was published for its whole time, to a
// queue that somebody consumed.
func (w *world) checkWaited(a *applied, step int8, op operation, attempt int) {
	if w.swarm.untold || a.note.kind != aTimer || a.before.Steps[step].Retried.Attempt == attempt {
		return
	}
	now, published := a.tr.Next.UpdatedAt.Sub(epoch), time.Duration(-1)
	o := &w.services[0].outbox
	for id := range o.log {
		if m := &o.log[id]; m.commit > 0 && m.stored && m.note == (note{kind: aCommand, saga: a.note.saga, step: step, op: op, attempt: attempt}) {
			published = m.storedAt
		}
	}
	gone, from := w.swarm.away[serviceOf(step)], published
	if published >= 0 && gone.until <= now {
		from = max(from, gone.until)
	}
	waited := now - from
	if timeout := policyOf(&w.def.Steps[step], op).Timeout; published < 0 || gone.at(now) || waited < timeout {
		w.fail(invSpent, "attempt %d of %s %s was waited for %v", attempt, operationNames[op], stepNames[step], waited)
	}
}
