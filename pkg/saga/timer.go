package saga

import "time"

// timer acts on every step whose time has come, and on the saga's deadline. A timer
// that was read before the saga moved on finds WakeAt later, or nothing to wait for,
// and changes nothing.
func (m *machine) timer(t Timer) {
	m.entry.Kind = KindTimer
	switch wake := m.s.WakeAt(); {
	case m.s.Status.Terminal():
		m.ignore(Late, "the saga has ended")
	case m.s.Status == StatusParked:
		m.ignore(Late, "the saga is parked")
	case m.s.Paused:
		m.ignore(Late, "the saga is paused")
	case wake.IsZero() || m.now.Before(wake):
		m.ignore(Late, "the timer came before its time")
	default:
		m.fire(t)
		m.proceed()
	}
}

func (m *machine) fire(t Timer) {
	if m.due(m.s.Deadline) {
		m.s.Deadline = time.Time{}
		if !m.noWayBack() {
			m.turnBack(m.current(), FailureDeadline, Problem{})
			m.advance("the deadline has passed: going back")
			return
		}
		m.advance("the deadline has passed where there is no way back")
	}
	var again []int
	for i, s := range m.s.Steps {
		if !m.due(s.WakeAt) || m.rests(i, t) {
			continue
		}
		m.about(i)
		if m.hasAttempts(i) {
			again = append(again, i)
			continue
		}
		m.over(i)
	}
	if m.entry.Disposition == "" && len(again) == 0 {
		m.ignore(Late, "the commands are waited for as before")
	}
	// What is over may have turned the saga back or parked it: then nothing is sent again.
	if len(again) == 0 || m.s.ParkReason() != "" || (m.s.Failure != nil && m.s.Status != StatusAborting) {
		return
	}
	m.advance("time is up: sent again")
	for _, i := range again {
		m.send(i, m.s.Steps[i].Attempt+1)
	}
}

func (m *machine) due(at time.Time) bool { return !at.IsZero() && !m.now.Before(at) }

// hasAttempts says whether what step i waits for can be asked for once more.
func (m *machine) hasAttempts(i int) bool {
	d, s := m.def.Steps[i], m.s.Steps[i]
	return d.asks() && !d.policy(s.Operation()).exhausted(s)
}

// over decides what follows when the time of step i is over for good.
func (m *machine) over(i int) {
	switch m.def.Steps[i].Kind {
	case Delay:
		m.set(i, StepSucceeded)
		m.acted("the delay is over")
	case Signal:
		m.unsignalled(i)
	case Command:
		m.spent(i, ParkExhausted, Problem{})
	}
}

// acted is advance for one of several steps: that another is parked says more.
func (m *machine) acted(what string) {
	if m.entry.Disposition != Parked {
		m.advance(what)
	}
}
