package saga

import "time"

// heldLook is how long a saga is left alone whose command is not published yet.
const heldLook = 5 * time.Second

// Rests says until when the Timer has nothing to decide about the saga, although one is
// due: what it waits for is as it was. Zero where there is something to decide. A caller
// that asks first, and comes again then, leaves the history free of looks.
func (t Timer) Rests(def Definition, s State, now time.Time) time.Time {
	due := func(at time.Time) bool { return !at.IsZero() && !now.Before(at) }
	if s.WakeAt().IsZero() || due(s.Deadline) || !def.plans(s) {
		return time.Time{}
	}
	until := s.Deadline
	for i, step := range s.Steps {
		at := step.WakeAt
		if due(at) {
			var same bool
			if at, same = t.until(def.Steps[i], s.ID, step, now); !same || !at.After(now) {
				return time.Time{}
			}
		}
		if !at.IsZero() && (until.IsZero() || at.Before(until)) {
			until = at
		}
	}
	return until
}

// until is when to decide about a step whose time is over: not before its command has
// been published for as long as the attempt may stay unanswered. same says that the step
// is held for what it was held for before.
func (t Timer) until(d StepDefinition, id ID, s StepState, now time.Time) (at time.Time, same bool) {
	op := s.Operation()
	from := t.Published
	switch {
	case !d.asks() || s.Retried.Attempt == s.Attempt: // it was answered: it is to be sent again
		return time.Time{}, true
	case t.Held != "":
		return now.Add(heldLook), !t.Undeliverable && s.Held.Reason == t.Held
	case from.IsZero() && s.Held.Reason == "":
		return time.Time{}, true
	case s.Held.Reason != "" && !from.After(s.Held.Since): // it was not in its turn
		from = now
	}
	return from.Add(d.policy(op).wait(s, spread(id, d.Name, op, s.Attempt))), s.Held.Reason == ""
}

// rests lets a step whose time is over wait on, because its command is not published, or
// has not been for long enough.
func (m *machine) rests(i int, t Timer) bool {
	s := &m.s.Steps[i]
	at, same := t.until(m.def.Steps[i], m.s.ID, *s, m.now)
	if same {
		if !at.After(m.now) {
			return false
		}
		s.WakeAt = at
		return true
	}
	m.about(i)
	switch {
	case t.Undeliverable:
		m.park(i, ParkUndeliverable, t.Held)
		return true
	case t.Held == "":
		s.Held = Held{}
		m.acted("the command is published: its time runs")
	case s.Held.Reason == "":
		s.Held = Held{Reason: t.Held, Since: m.now}
		m.acted(t.Held)
	default:
		s.Held.Reason = t.Held
		m.acted(t.Held)
	}
	s.WakeAt = at
	return at.After(m.now)
}

// about makes the entry one about the step, unless it is about another already.
func (m *machine) about(i int) {
	if s := m.s.Steps[i]; m.entry.Step == "" {
		m.entry.Step, m.entry.Operation, m.entry.Attempt = s.Name, s.Operation(), s.Attempt
	}
}
