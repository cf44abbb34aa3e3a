package saga

import "time"

// reply applies the table in the package documentation.
func (m *machine) reply(r Reply) {
	m.entry.Kind, m.entry.Step, m.entry.Operation = KindReply, r.Step, r.Operation
	m.entry.Attempt, m.entry.Outcome, m.entry.MessageID = r.Attempt, r.Outcome, r.MessageID
	if r.Outcome == OutcomeFailed || r.Outcome == OutcomeRetry {
		m.entry.Problem = r.Problem
	}

	i := m.index(r.Step)
	switch {
	case i < 0:
		m.ignore(Quarantined, "the saga has no such step")
	case !m.def.Steps[i].asks():
		m.ignore(Quarantined, "the step asks nobody")
	case !r.Outcome.Answers(r.Operation):
		m.ignore(Quarantined, "the outcome does not answer the operation")
	case m.s.Status.Terminal():
		m.ignore(Late, "the saga has ended")
	case r.Operation == Cancel:
		m.cancelReply(i, r)
	case r.Operation == Confirm:
		m.confirmReply(i, r)
	default:
		m.requestReply(i, r)
	}
}

func (m *machine) requestReply(i int, r Reply) {
	switch m.s.Steps[i].Status {
	case StepPending, StepOmitted:
		m.ignore(Quarantined, "the step was never requested")
	case StepStarted:
		m.awaitedRequest(i, r)
	case StepSucceeded, StepConfirming, StepConfirmed:
		m.repeated(i, r, OutcomeSucceeded)
	case StepFailed:
		m.repeated(i, r, OutcomeFailed)
	case StepSkipped:
		m.ignore(Late, "an operator declared the step done")
	case StepCompensating, StepCompensated:
		m.ignore(Late, "the step is being or has been compensated")
	}
}

// repeated judges another answer to a request that has been answered with first.
func (m *machine) repeated(i int, r Reply, first Outcome) {
	switch r.Outcome {
	case first:
		m.ignore(Duplicate, "the step is known to have "+string(first))
	case OutcomeRetry:
		m.ignore(Late, "the step is known to have "+string(first))
	default:
		if r.Outcome == OutcomeSucceeded && m.def.Steps[i].Type == Compensatable {
			// It says that it is in effect, so that going back has to undo it.
			m.set(i, StepSucceeded)
		}
		m.park(i, ParkContradiction, "the step "+string(first)+" before and now says "+string(r.Outcome))
	}
}

// awaitedRequest applies the answer to the request in flight.
func (m *machine) awaitedRequest(i int, r Reply) {
	goesBack := r.Outcome == OutcomeFailed && m.def.Steps[i].Type != Retriable
	switch {
	case !m.takes(i, r.Outcome == OutcomeSucceeded || goesBack):
	case r.Outcome == OutcomeSucceeded:
		m.set(i, StepSucceeded)
		m.keep(i, r.Output)
		m.advance("the step succeeded")
		m.proceed()
	case goesBack:
		m.set(i, StepFailed)
		m.turnBack(r.Step, FailureRefused, r.Problem)
		m.advance("the step was refused")
		m.proceed()
	case r.Outcome == OutcomeFailed:
		// A participant remembers a refusal: asking again brings it again.
		m.spent(i, ParkRefused, r.Problem)
		m.proceed()
	default:
		m.later(i, r)
	}
}

func (m *machine) confirmReply(i int, r Reply) {
	switch m.s.Steps[i].Status {
	case StepConfirming:
		m.awaited(i, r, OutcomeConfirmed, StepConfirmed, "the step is confirmed")
	case StepConfirmed:
		m.known(r, OutcomeConfirmed, "the step is known to be confirmed")
	case StepPending, StepStarted, StepSucceeded, StepFailed, StepSkipped, StepCompensating, StepCompensated, StepOmitted:
		m.ignore(Quarantined, "the step was never confirmed")
	}
}

func (m *machine) cancelReply(i int, r Reply) {
	switch m.s.Steps[i].Status {
	case StepCompensating:
		m.awaited(i, r, OutcomeCompensated, StepCompensated, "the step is compensated")
	case StepCompensated:
		m.known(r, OutcomeCompensated, "the step is known to be compensated")
	case StepPending, StepStarted, StepSucceeded, StepFailed, StepSkipped, StepConfirming, StepConfirmed, StepOmitted:
		m.ignore(Quarantined, "the step was never cancelled")
	}
}

// awaited applies the answer to the confirmation or compensation in flight, which
// may not fail.
func (m *machine) awaited(i int, r Reply, yes Outcome, then StepStatus, what string) {
	switch {
	case !m.takes(i, r.Outcome == yes):
	case r.Outcome == yes:
		m.set(i, then)
		m.advance(what)
		m.proceed()
	default:
		m.later(i, r)
	}
}

func (m *machine) known(r Reply, outcome Outcome, what string) {
	if r.Outcome == outcome {
		m.ignore(Duplicate, what)
		return
	}
	m.ignore(Late, what)
}

// takes says whether the answer may be applied. A parked step takes the decisive
// answer that it lacked; the rest it leaves to the operator, whose retry makes the
// participant answer again.
func (m *machine) takes(i int, decisive bool) bool {
	park := m.s.Steps[i].Park
	if park == "" || (decisive && park != ParkContradiction) {
		return true
	}
	m.ignore(Late, "the step is parked")
	return false
}

// later sends the command again after the backoff: nothing changed at the
// participant, or it refused what may not be refused.
func (m *machine) later(i int, r Reply) {
	s := &m.s.Steps[i]
	if r.Attempt != 0 && r.Attempt != s.Attempt {
		m.ignore(Late, "another attempt is under way")
		return
	}
	policy, spread := m.def.Steps[i].policy(r.Operation), spread(m.s.ID, r.Step, r.Operation, s.Attempt)
	var pause time.Duration
	switch {
	case r.Outcome == OutcomeFailed && policy.exhausted(*s):
		m.spent(i, ParkRefused, r.Problem)
		m.proceed()
		return
	case r.Outcome == OutcomeFailed:
		pause = policy.Retry.delay(s.Attempt, spread)
		s.Retried.Attempt = s.Attempt
	case s.Retried.Attempt == s.Attempt:
		m.ignore(Duplicate, "the attempt is known to have been answered")
		return
	default:
		if pause = policy.after(*s, spread); pause == 0 {
			m.spent(i, ParkUnavailable, r.Problem)
			m.proceed()
			return
		}
		s.Retried = Retried{Times: s.Retried.Times + 1, For: s.Retried.For + pause, Attempt: s.Attempt}
	}
	m.advance("to be sent again after the backoff")
	s.WakeAt, s.Held = m.now.Add(pause), Held{}
}
