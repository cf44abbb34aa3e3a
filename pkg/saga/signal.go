package saga

import "maps"

// signal applies what somebody outside says, or keeps it until its step is reached.
func (m *machine) signal(e Signalled) {
	m.entry.Kind, m.entry.Step, m.entry.Who = KindSignal, e.Step, e.Who
	i := m.index(e.Step)
	switch {
	case i < 0 || m.def.Steps[i].Kind != Signal:
		m.ignore(Refused, "the saga waits for no such signal")
	case m.s.Status.Terminal():
		m.ignore(Late, "the saga has ended")
	case m.s.Steps[i].Status == StepStarted && e.Refused && m.noWayBack():
		m.ignore(Refused, "a step that cannot be undone may have taken effect: the saga cannot go back")
	case m.s.Steps[i].Status == StepStarted:
		m.signalled(i, e)
		m.proceed()
	case m.s.Steps[i].Status != StepPending:
		m.ignore(Late, "the step is through")
	case m.s.Failure != nil:
		m.ignore(Late, "the saga goes back")
	default:
		m.keepSignal(e)
	}
}

// signalled applies the signal that the step waits for.
func (m *machine) signalled(i int, e Signalled) {
	switch {
	case e.Refused && m.noWayBack(): // it came early: the operator decides, and may skip it
		m.park(i, ParkRefused, "refused where there is no way back: "+e.Reason)
		return
	case e.Refused:
		m.set(i, StepFailed)
		m.turnBack(e.Step, FailureRefused, Problem{Title: e.Reason})
		m.told("refused", e.Reason)
		m.turned(e.Step, because("refused before the step was reached", e.Reason))
		return
	}
	m.set(i, StepSucceeded)
	m.keep(i, e.Output)
	m.told("signalled", e.Reason)
}

// told words a signal for the history; one that came early has been told of.
func (m *machine) told(what, reason string) {
	if m.entry.Kind != KindSignal {
		return
	}
	m.advance(because(what, reason))
}

// turned tells why another step turns the saga back than the one that the entry is about:
// that one's own words do not say it.
func (m *machine) turned(step, why string) {
	if m.entry.Step != step && m.entry.Disposition != Parked {
		m.entry.Detail += "; " + step + ": " + why
	}
}

// unsignalled: nobody has signalled in time. Where there is no way back, an operator
// has to look.
func (m *machine) unsignalled(i int) {
	d := m.def.Steps[i]
	switch {
	case d.OnTimeout == TimeoutProceeds:
		m.set(i, StepSucceeded)
		m.acted("nobody signalled in time: going on")
	case d.OnTimeout == TimeoutParks || m.noWayBack():
		m.park(i, ParkUnsignalled, "nobody signalled in time")
	default:
		m.set(i, StepFailed)
		m.turnBack(d.Name, FailureUnsignalled, Problem{})
		m.advance("nobody signalled in time: going back")
	}
}

// keepSignal keeps the first signal for a step that was not reached yet. The map is
// copied: states share it.
func (m *machine) keepSignal(e Signalled) {
	if _, came := m.s.Signals[e.Step]; came {
		m.ignore(Duplicate, "a signal for the step is kept already")
		return
	}
	signals := maps.Clone(m.s.Signals)
	if signals == nil {
		signals = map[string]Signalled{}
	}
	signals[e.Step] = e
	m.s.Signals = signals
	m.advance("kept until the step is reached")
}

func (m *machine) forgetSignal(step string) {
	signals := maps.Clone(m.s.Signals)
	delete(signals, step)
	m.s.Signals = signals
}
