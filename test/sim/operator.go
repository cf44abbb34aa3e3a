package sim

import (
	"time"

	"go.example/saga/pkg/saga"
)

// verbs are what an operator says at random; the end of a saga is not said often.
var verbs = [...]saga.Verb{
	saga.RetryNow, saga.Pause, saga.Resume, saga.Abort, saga.Skip, saga.RetryNow, saga.Resume, saga.Pause, saga.Kill,
}

// invite plans what comes from outside: signals, early, late and twice, and an
// operator's verbs.
func (w *world) invite(i int8) {
	for step, d := range w.def.Steps {
		if d.Kind != saga.Signal {
			continue
		}
		for range w.swarm.signalling {
			at := time.Duration(1+w.below(64)) * time.Millisecond
			n := note{kind: aSignal, saga: i, step: int8(step), number: int8(w.below(len(outputs))), refused: w.below(4) == 3}
			w.plan(appointment{at: at, place: atOrchestrator, note: n})
		}
	}
	if w.moving {
		w.plan(appointment{at: time.Duration(1+w.below(64)) * time.Millisecond, place: atOrchestrator, note: note{kind: aMove, saga: i, step: -1}})
	}
	for range w.swarm.meddling {
		w.meddle(i, time.Duration(1+w.below(64))*time.Millisecond)
		w.plan(appointment{at: time.Duration(1+w.below(64)) * time.Millisecond, place: atOperator, service: w.below(maxServices)})
	}
}

// meddle plans one verb of an operator, sensible or not.
func (w *world) meddle(i int8, at time.Duration) {
	n := note{kind: aVerb, saga: i, verb: verbs[w.below(len(verbs))], step: -1}
	if step := w.below(2*len(w.def.Steps)) - len(w.def.Steps); step >= 0 {
		n.step = int8(step)
	}
	n.number, n.curt = int8(w.below(len(outputs))), w.below(8) == 7
	w.plan(appointment{at: at, place: atOrchestrator, note: n})
}

// alarm lets an operator who hears that a saga is parked be quick with a verb.
func (w *world) alarm(a *applied) {
	if !w.healed && a.emits(saga.EventParked) && w.below(2) == 1 {
		w.meddle(a.note.saga, w.now+w.delay())
	}
}

// help does what a sensible operator does for the sagas that wait for one, and says
// whether there were any.
func (w *world) help() (helped bool) {
	for s := range w.services {
		if w.services[s].anyDead() {
			w.changeParked(s)
			helped = true
		}
	}
	if helped {
		return true
	}
	for i := range w.sagas {
		if w.running(i) {
			w.rows[i].helped++
			w.orchestrate(w.remedy(int8(i)))
			helped = true
		}
	}
	return helped
}

// remedy is what to tell a saga that stands still.
func (w *world) remedy(i int8) note {
	s := w.rows[i].state
	w.follow(&s)
	n := note{kind: aVerb, saga: i, step: -1, verb: saga.Resume}
	if s.Paused {
		return n
	}
	for step, st := range s.Steps {
		if st.Park == "" {
			continue
		}
		f := &w.facts[i][step]
		switch {
		case st.Park == saga.ParkCondition, f.waived, f.refused: // a refusal is for good, asking again does not help
			n.step, n.verb = int8(step), saga.Skip
		case w.def.Steps[step].Kind == saga.Signal && w.rows[i].helped%2 == 1:
			return note{kind: aSignal, saga: i, step: int8(step)}
		case w.def.Steps[step].Kind == saga.Signal: // it is kept: resumed, the step finds it
		case w.rows[i].helped > 1:
			n.step, n.verb = int8(step), saga.RetryNow
		}
		return n
	}
	return n
}
