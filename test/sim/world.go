package sim

import (
	"time"

	"go.example/saga/pkg/saga"
)

// epoch is when every schedule begins.
var epoch = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// maxAppointments is how many may pass before a schedule counts as endless.
const maxAppointments = 4000

// world is one schedule. It is used again for the next one: what it holds is
// cleared and kept.
type world struct {
	choices
	*shape // of the saga at hand
	swarm  swarm
	now    time.Duration
	healed bool
	seq    int
	passed int // appointments

	agenda   agenda
	shapes   [2]shape // by version: what sagas start with, and what they may be moved to
	moving   bool     // to the second
	sagas    int      // how many
	rows     [maxSagas]row
	services [maxServices]service
	barrier  barrier
	ledger   ledger
	facts    [maxSagas][maxSteps]facts
	spare    []*tx
	blank    []*appointment
	notes    []note // of a participant's transaction
	replies  []note // to them

	broken *Violation
	told   *account // nil unless somebody wants to read it
	tally  *Tally
}

// play runs one schedule with the decisions at hand.
func (w *world) play() *Violation {
	w.clear()
	w.drawShape()
	w.drawSwarm()
	w.sagas = 1 + w.below(8)/7
	w.tellDefinition()
	for i := range w.sagas {
		w.plan(appointment{at: time.Duration(i*w.below(8)) * time.Millisecond, place: atStart, note: note{saga: int8(i)}})
		w.invite(int8(i))
	}
	w.run()
	w.heal()
	w.count()
	return w.broken
}

func (w *world) clear() {
	w.now, w.healed, w.seq, w.passed, w.broken = 0, false, 0, 0, nil
	for i := range w.agenda {
		w.blank = append(w.blank, w.agenda[i].what)
	}
	w.agenda = w.agenda[:0]
	w.rows = [maxSagas]row{}
	for i := range w.services {
		v := &w.services[i]
		r := &v.relay
		*v = service{
			outbox: outbox{log: v.log[:0]},
			relay:  relay{page: page{ids: r.page.ids}, heard: r.heard[:0], found: found{due: r.found.due}},
		}
	}
	w.barrier, w.ledger = barrier{}, ledger{}
	w.facts = [maxSagas][maxSteps]facts{}
}

// run lets things happen until nothing is left to happen or the horizon is reached,
// behind which everything heals.
func (w *world) run() {
	for w.broken == nil {
		i := w.nextIndex(nil)
		if i < 0 || (!w.healed && w.agenda[i].at > w.swarm.horizon) {
			return
		}
		if w.passed++; w.passed > maxAppointments {
			w.fail(invProgress, "it goes on for ever")
			return
		}
		a := w.remove(i)
		w.now = max(w.now, a.at)
		w.pass(a)
	}
}

func (w *world) pass(a appointment) {
	switch a.place {
	case atOrchestrator:
		w.orchestrate(a.note)
	case atParticipant:
		if !w.lies(a) {
			w.serve(a.service, a.note)
		}
	case atRelay:
		w.relay(&a)
	case atOperator:
		w.changeParked(a.service)
	case atStart:
		w.begin(a.note.saga)
	case atTimer:
		w.timer(a)
	case atCommit:
		w.commit(a.tx)
	}
}

// clock is the time by the database.
func (w *world) clock() time.Time { return epoch.Add(w.now) }

// heal ends all faults. What is left to happen happens, and an operator helps those
// sagas that ask for it; then all must have ended.
func (w *world) heal() {
	if w.broken != nil {
		return
	}
	w.healed = true
	w.tell("everything heals")
	const patience = 60
	for range patience {
		w.run()
		if w.broken != nil || !w.help() {
			break
		}
	}
	w.checkEnd()
}

// delay is how long something takes.
func (w *world) delay() time.Duration {
	if w.healed {
		return time.Millisecond
	}
	d := time.Duration(1+w.below(256)/64) * time.Millisecond
	if w.strikes(w.swarm.late, faultLate) {
		d += time.Duration(4+w.below(64)) * time.Millisecond
	}
	return d
}

// running says whether the saga has been started and has not ended.
func (w *world) running(i int) bool {
	return w.rows[i].history > 0 && !w.rows[i].state.Status.Terminal()
}

// status is the saga's by the database.
func (w *world) status(i int8) saga.Status { return w.rows[i].state.Status }
