package saga

// action applies an operator's verb, or refuses it with the reason.
func (m *machine) action(a Action) {
	m.entry.Kind, m.entry.Who = Kind(a.Verb), a.Who
	m.entry.Step, m.entry.Operation, m.entry.Attempt = m.s.CurrentStep, m.s.Operation, m.s.Attempt
	if m.s.Status.Terminal() {
		m.ignore(Refused, "the saga has ended")
		return
	}
	switch a.Verb {
	case RetryNow:
		m.unpark()
		m.advance("sent again by the operator")
		m.send(m.s.CurrentStep, m.s.Operation, m.s.Attempt+1)
	case Resume:
		m.resume()
	case Skip:
		m.skip(a)
	case Abort:
		m.abort(a)
	default:
		m.ignore(Refused, "no such verb: use retry, skip, abort or resume")
	}
}

// resume waits once more for the answer to the command that was sent last.
func (m *machine) resume() {
	if m.s.Status != StatusParked {
		m.ignore(Refused, "only a parked saga can be resumed")
		return
	}
	m.unpark()
	d, _ := m.def.step(m.s.CurrentStep)
	m.s.WakeAt = m.now.Add(d.policy(m.s.Operation).Timeout)
	m.advance("waiting again")
}

// skip takes the operator's word for the operation that is waited for.
func (m *machine) skip(a Action) {
	if a.Reason == "" {
		m.ignore(Refused, "skip needs a reason")
		return
	}
	m.unpark()
	m.advance("declared done by the operator: " + a.Reason)
	if m.s.Operation == Cancel {
		m.setStep(m.s.CurrentStep, StepCompensated)
		m.backward()
		return
	}
	m.setStep(m.s.CurrentStep, StepSkipped)
	m.keep(m.s.CurrentStep, a.Output)
	m.forward()
}

// abort turns a saga back that still goes forward.
func (m *machine) abort(a Action) {
	switch {
	case a.Reason == "":
		m.ignore(Refused, "abort needs a reason")
	case m.s.Operation == Cancel:
		m.ignore(Refused, "the saga is being compensated already")
	case m.noWayBack():
		m.ignore(Refused, "a step that cannot be undone may have taken effect")
	default:
		m.s.Failure = &Failure{Step: m.s.CurrentStep, Class: FailureAborted, Problem: Problem{Title: a.Reason}}
		m.advance("aborted by the operator: " + a.Reason)
		m.backward()
	}
}

// noWayBack says whether a step that cannot be undone may have taken effect.
func (m *machine) noWayBack() bool {
	for i, d := range m.def.Steps {
		if d.Type == Compensatable {
			continue
		}
		switch m.s.Steps[i].Status {
		case StepStarted, StepSucceeded, StepSkipped:
			return true
		case StepPending, StepFailed, StepCompensating, StepCompensated:
		}
	}
	return false
}
