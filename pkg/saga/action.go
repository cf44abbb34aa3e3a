package saga

import "time"

// action applies an operator's verb, or refuses it with the reason.
func (m *machine) action(a Action) {
	m.entry.Kind, m.entry.Who, m.entry.Step = Kind(a.Verb), a.Who, a.Step
	if m.s.Status.Terminal() {
		m.ignore(Refused, "the saga has ended")
		return
	}
	switch a.Verb {
	case RetryNow:
		m.retry(a)
	case Skip:
		m.skip(a)
	case Abort:
		m.abort(a)
	case Kill:
		m.kill(a)
	case Pause:
		m.pause(a)
	case Resume:
		m.resume(a)
	default:
		m.ignore(Refused, "no such verb: use retry, skip, abort, kill, pause or resume")
	}
	if m.entry.Disposition == Refused && a.Reason != "" {
		m.entry.Detail += " (asked for: " + a.Reason + ")" // why somebody wanted it is worth keeping too
	}
}

// because words what an operator did, with the reason if there is one.
func because(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + reason
}

// retry sends what is waited for once more.
func (m *machine) retry(a Action) {
	var commands []int
	for i, s := range m.s.Steps {
		toBeCancelled := s.Operation() == Request && m.s.Failure != nil
		if s.Operation() != "" && m.def.Steps[i].asks() && !toBeCancelled && (a.Step == "" || a.Step == s.Name) {
			commands = append(commands, i)
		}
	}
	switch {
	case m.s.Paused:
		m.ignore(Refused, "the saga is paused: resume it first")
		return
	case len(commands) == 0:
		m.ignore(Refused, "no command is waiting for its reply: signal or skip the step, or resume the saga")
		return
	}
	m.advance(because("sent again by the operator", a.Reason))
	for _, i := range commands {
		s := m.s.Steps[i]
		m.entry.Step, m.entry.Operation, m.entry.Attempt = s.Name, s.Operation(), s.Attempt
		m.s.Steps[i].Retried.For = 0 // whatever it was mended for has its time again
		m.send(i, s.Attempt+1)
	}
	m.proceed() // a step that was not sent again may still be parked
}

// skip takes the operator's word for the step that is parked or waited for.
func (m *machine) skip(a Action) {
	i, refusal := m.skippable(a.Step)
	switch {
	case a.Reason == "":
		refusal = "skip needs a reason"
	case m.s.Paused:
		refusal = "the saga is paused: resume it first"
	}
	if refusal != "" {
		m.ignore(Refused, refusal)
		return
	}
	s := m.s.Steps[i]
	m.entry.Step, m.entry.Operation, m.entry.Attempt = s.Name, s.Operation(), s.Attempt
	m.advance("declared done by the operator: " + a.Reason)
	switch s.Status {
	case StepCompensating:
		m.set(i, StepCompensated)
	case StepConfirming:
		m.set(i, StepConfirmed)
	case StepStarted, StepPending:
		m.set(i, StepSkipped)
		m.keep(i, a.Output)
	default: // of two contradictory answers the first one counts
		m.unpark(s.Name)
	}
	m.proceed()
}

// skippable is the step that skip is about: the one that is named, or the only one
// that is parked, or else waited for.
func (m *machine) skippable(name string) (i int, refusal string) {
	var parked, waiting []int
	for i, s := range m.s.Steps {
		switch {
		case name != "" && name != s.Name:
		case s.Park != "":
			parked = append(parked, i)
		case s.Operation() != "":
			waiting = append(waiting, i)
		}
	}
	if len(parked) > 0 {
		waiting = parked
	}
	switch len(waiting) {
	case 0:
		return 0, "no step with that name is waited for"
	case 1:
		return waiting[0], ""
	}
	return 0, "several steps are waited for: name one"
}

// abort turns a saga back that still goes forward.
func (m *machine) abort(a Action) {
	switch {
	case a.Reason == "":
		m.ignore(Refused, "abort needs a reason")
	case m.s.Failure != nil:
		m.ignore(Refused, "the saga is being compensated already")
	case m.noWayBack():
		m.ignore(Refused, "a step that cannot be undone may have taken effect")
	default:
		m.turnBack(m.current(), FailureAborted, Problem{Title: a.Reason})
		m.advance("aborted by the operator: " + a.Reason)
		m.s.Paused = false
		m.unpark("")
		m.proceed()
	}
}

// kill ends the saga where it stands.
func (m *machine) kill(a Action) {
	if a.Reason == "" {
		m.ignore(Refused, "kill needs a reason")
		return
	}
	m.advance("killed by the operator, nothing is compensated: " + a.Reason)
	m.finish(StatusKilled, EventKilled)
}

func (m *machine) pause(a Action) {
	switch {
	case m.s.Paused:
		m.ignore(Refused, "the saga is paused already")
	case m.s.Status == StatusParked:
		m.ignore(Refused, "the saga is parked and begins nothing")
	default:
		m.s.Paused = true
		m.advance(because("paused by the operator", a.Reason))
	}
}

// resume lets a paused saga go on, and a parked one wait once more for the answers
// to the commands that were sent last.
func (m *machine) resume(a Action) {
	switch {
	case m.s.Paused:
		m.s.Paused = false
		m.advance(because("going on", a.Reason))
	case m.s.Status == StatusParked:
		for i, s := range m.s.Steps {
			if s.Operation() != "" && !m.now.Before(s.WakeAt) {
				m.s.Steps[i].WakeAt = m.now.Add(m.patience(i))
			}
		}
		m.unpark("")
		m.advance(because("waiting again", a.Reason))
	default:
		m.ignore(Refused, "only a parked or paused saga can be resumed")
		return
	}
	m.proceed()
}

// patience is how long step i waits for what is under way.
func (m *machine) patience(i int) time.Duration {
	d := m.def.Steps[i]
	if !d.asks() {
		return d.Wait
	}
	return d.policy(m.s.Steps[i].Operation()).Timeout
}

// unpark lets the named step, or all of them, go on.
func (m *machine) unpark(step string) {
	for i := range m.s.Steps {
		if step == "" || m.s.Steps[i].Name == step {
			m.s.Steps[i].Park = ""
		}
	}
}
