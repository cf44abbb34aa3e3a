package saga

// timer sends the waiting command again, or gives it up when its attempts are
// spent. A timer that was read before the saga moved on finds WakeAt later, or
// nothing to wait for, and changes nothing.
func (m *machine) timer() {
	m.entry.Kind, m.entry.Step = KindTimer, m.s.CurrentStep
	m.entry.Operation, m.entry.Attempt = m.s.Operation, m.s.Attempt
	switch {
	case m.s.Status.Terminal():
		m.ignore(Late, "the saga has ended")
	case m.s.Status == StatusParked:
		m.ignore(Late, "the saga is parked")
	case m.now.Before(m.s.WakeAt):
		m.ignore(Late, "the timer came before its time")
	default:
		m.timeout()
	}
}

func (m *machine) timeout() {
	d, _ := m.def.step(m.s.CurrentStep)
	if d.policy(m.s.Operation).exhausted(m.s.Attempt) {
		m.spent(ParkExhausted)
		return
	}
	m.advance("time is up: sent again")
	m.send(m.s.CurrentStep, m.s.Operation, m.s.Attempt+1)
}
