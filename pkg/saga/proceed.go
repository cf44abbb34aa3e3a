package saga

import (
	"errors"

	"go.example/saga/pkg/condition"
)

// proceed begins everything that can begin now. It draws the saga's status from its
// steps, so that it does not matter in which order events have come.
func (m *machine) proceed() {
	switch {
	case m.s.Status.Terminal():
	case m.s.ParkReason() != "":
		m.s.Status = StatusParked
	case m.s.Failure != nil:
		m.s.Status = StatusAborting
		m.backward()
	default:
		m.s.Status = StatusStarted
		m.forward()
	}
}

// forward begins the next steps, confirms when there are none left, or completes
// the saga.
func (m *machine) forward() {
	for !m.s.Paused {
		next, left := NextSagaStep(m.def, m.s.Steps)
		if !left {
			m.confirm()
			return
		}
		if len(next) == 0 {
			return // for those under way
		}
		for _, name := range next {
			m.weigh(m.index(name))
		}
		if m.s.Failure != nil || m.s.ParkReason() != "" {
			m.proceed()
			return
		}
		for _, name := range next {
			m.begin(m.index(name))
		}
	}
}

// weigh finds out, before anything of its stage is begun, whether a step is needed,
// and whether the signal for it has come already.
func (m *machine) weigh(i int) {
	d := m.def.Steps[i]
	needed, err := d.When.Holds(m.data(i))
	switch {
	case err != nil && (m.noWayBack() || errors.Is(err, condition.ErrInexact)): // going back would decide it
		m.park(i, ParkCondition, err.Error())
	case err != nil:
		m.set(i, StepFailed)
		m.turnBack(d.Name, FailureCondition, Problem{Title: "the condition cannot be evaluated", Detail: err.Error()})
		m.turned(d.Name, "the condition cannot be evaluated: "+err.Error())
	case !needed:
		m.set(i, StepOmitted)
	default:
		if early, came := m.s.Signals[d.Name]; came {
			m.forgetSignal(d.Name)
			m.signalled(i, early)
		}
	}
}

// begin starts a step that is still to be begun.
func (m *machine) begin(i int) {
	d, s := m.def.Steps[i], &m.s.Steps[i]
	if s.Status != StepPending {
		return
	}
	s.Status = StepStarted
	if d.asks() {
		m.send(i, 1)
		return
	}
	s.WakeAt = m.now.Add(d.Wait)
}

// confirm makes what the steps have reserved last, in mode TCC. When nothing is
// left to confirm the saga is complete. A step that an operator declared done is.
func (m *machine) confirm() {
	waiting := false
	for i, d := range m.def.Steps {
		switch m.s.Steps[i].Status {
		case StepSucceeded:
			if m.def.Mode == TCC && d.asks() {
				m.s.Steps[i].Status = StepConfirming
				m.send(i, 1)
				waiting = true
			}
		case StepConfirming:
			waiting = true
		case StepPending, StepStarted, StepFailed, StepSkipped, StepConfirmed, StepCompensating, StepCompensated, StepOmitted:
		}
	}
	if !waiting {
		m.finish(StatusCompleted, EventCompleted)
	}
}

// backward cancels the previous steps in effect, or ends the abort.
func (m *machine) backward() {
	for !m.s.Paused {
		prev, left := PrevSagaStep(m.def, m.s.Steps)
		if !left {
			m.finish(StatusAborted, EventAborted)
			return
		}
		asked := len(prev) == 0
		for _, name := range prev {
			i := m.index(name)
			if !m.def.Steps[i].asks() {
				m.set(i, StepCompensated) // nothing of it is in effect anywhere
				continue
			}
			m.s.Steps[i].Status = StepCompensating
			m.send(i, 1)
			asked = true
		}
		if asked {
			return
		}
	}
}
