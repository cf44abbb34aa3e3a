package saga

// reply applies the table in the package documentation.
func (m *machine) reply(r Reply) {
	m.entry.Kind, m.entry.Step, m.entry.Operation = KindReply, r.Step, r.Operation
	m.entry.Attempt, m.entry.Outcome, m.entry.MessageID = r.Attempt, r.Outcome, r.MessageID

	status, known := m.stepStatus(r.Step)
	switch {
	case !known:
		m.ignore(Quarantined, "the saga has no such step")
	case !r.Outcome.answers(r.Operation):
		m.ignore(Quarantined, "the outcome does not answer the operation")
	case m.s.Status.Terminal():
		m.ignore(Late, "the saga has ended")
	case r.Operation == Cancel:
		m.cancelReply(r, status)
	default:
		m.requestReply(r, status)
	}
}

// answers says whether the outcome is one that the operation can have.
func (o Outcome) answers(op Operation) bool {
	switch o {
	case OutcomeSucceeded:
		return op == Request
	case OutcomeCompensated:
		return op == Cancel
	case OutcomeFailed, OutcomeRetry:
		return op == Request || op == Cancel
	}
	return false
}

func (m *machine) requestReply(r Reply, status StepStatus) {
	switch status {
	case StepPending:
		m.ignore(Quarantined, "the step was never requested")
	case StepStarted:
		m.awaitedRequest(r)
	case StepSucceeded:
		m.repeated(r, OutcomeSucceeded)
	case StepFailed:
		m.repeated(r, OutcomeFailed)
	case StepSkipped:
		m.ignore(Late, "an operator declared the step done")
	case StepCompensating, StepCompensated:
		m.ignore(Late, "the step is being or has been compensated")
	}
}

// repeated judges another answer to a request that has been answered with first.
func (m *machine) repeated(r Reply, first Outcome) {
	switch r.Outcome {
	case first:
		m.ignore(Duplicate, "the step is known to have "+string(first))
	case OutcomeRetry:
		m.ignore(Late, "the step is known to have "+string(first))
	default:
		d, _ := m.def.step(r.Step)
		if r.Outcome == OutcomeSucceeded && d.Type == Compensatable {
			// It says that it is in effect, so that going back has to undo it.
			m.setStep(r.Step, StepSucceeded)
		}
		m.park(ParkContradiction, "the step "+string(first)+" before and now says "+string(r.Outcome))
	}
}

// awaitedRequest applies the answer to the request in flight.
func (m *machine) awaitedRequest(r Reply) {
	d, _ := m.def.step(r.Step)
	goesBack := r.Outcome == OutcomeFailed && d.Type != Retriable
	if !m.takesWhileParked(r.Outcome == OutcomeSucceeded || goesBack) {
		return
	}
	switch {
	case r.Outcome == OutcomeSucceeded:
		m.unpark()
		m.setStep(r.Step, StepSucceeded)
		m.keep(r.Step, r.Output)
		m.advance("the step succeeded")
		m.forward()
	case goesBack:
		m.unpark()
		m.setStep(r.Step, StepFailed)
		m.s.Failure = &Failure{Step: r.Step, Class: FailureRefused, Problem: r.Problem}
		m.advance("the step was refused")
		m.backward()
	default:
		m.later(r)
	}
}

func (m *machine) cancelReply(r Reply, status StepStatus) {
	switch status {
	case StepCompensating:
		m.awaitedCancel(r)
	case StepCompensated:
		if r.Outcome == OutcomeCompensated {
			m.ignore(Duplicate, "the step is known to be compensated")
			return
		}
		m.ignore(Late, "the step has been compensated")
	case StepPending, StepStarted, StepSucceeded, StepFailed, StepSkipped:
		m.ignore(Quarantined, "the step was never cancelled")
	}
}

// awaitedCancel applies the answer to the compensation in flight.
func (m *machine) awaitedCancel(r Reply) {
	if !m.takesWhileParked(r.Outcome == OutcomeCompensated) {
		return
	}
	if r.Outcome != OutcomeCompensated {
		m.later(r)
		return
	}
	m.setStep(r.Step, StepCompensated)
	m.advance("the step is compensated")
	m.backward()
}

// takesWhileParked says whether the answer may be applied. A PARKED saga takes
// the decisive answer that it lacked; the rest it leaves to the operator, whose
// retry makes the participant answer again.
func (m *machine) takesWhileParked(decisive bool) bool {
	if m.s.Status != StatusParked || (decisive && m.s.ParkReason != ParkContradiction) {
		return true
	}
	m.ignore(Late, "the saga is parked")
	return false
}

// later sends the command again after the backoff: nothing changed at the
// participant, or it refused what may not be refused.
func (m *machine) later(r Reply) {
	if r.Attempt != 0 && r.Attempt != m.s.Attempt {
		m.ignore(Late, "another attempt is under way")
		return
	}
	d, _ := m.def.step(r.Step)
	policy := d.policy(r.Operation)
	if policy.exhausted(m.s.Attempt) {
		reason := ParkExhausted
		if r.Outcome == OutcomeFailed {
			reason = ParkRefused
		}
		m.spent(reason)
		return
	}
	m.advance("to be sent again after the backoff")
	m.s.WakeAt = m.now.Add(policy.Retry.delay(m.s.Attempt, spread(m.s.ID, r.Step, r.Operation, m.s.Attempt)))
}
