package saga

import (
	"slices"
	"time"
)

// A saga whose command is held up is left alone for as long as it has been held already,
// within these bounds: many that are held for long cost little, and one is told of soon.
const (
	minHeldLook = 5 * time.Second
	maxHeldLook = time.Minute
)

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
			w := t.wait(def.Steps[i], s.ID, step, now)
			if w.news || !w.until.After(now) {
				return time.Time{}
			}
			at = w.until
		}
		if !at.IsZero() && (until.IsZero() || at.Before(until)) {
			until = at
		}
	}
	return until
}

// Destinations lists those whose queues decide about the saga, once each: what the time
// is over of lies there, as far as the Timer says. Their states belong into its Queues.
func (t Timer) Destinations(def Definition, s State, now time.Time) []string {
	if t.Held != "" || s.WakeAt().IsZero() || !def.plans(s) {
		return nil
	}
	var names []string
	for i, step := range s.Steps {
		d := def.Steps[i]
		if step.WakeAt.IsZero() || now.Before(step.WakeAt) || !d.asks() || d.URL != "" || step.answered() || slices.Contains(names, d.Destination) {
			continue
		}
		if step.Held.Reason != "" || !t.wait(d, s.ID, step, now).until.After(now) {
			names = append(names, d.Destination)
		}
	}
	return names
}

// answered says that the attempt under way was, and is to be made again.
func (s StepState) answered() bool { return s.Retried.Attempt == s.Attempt }

// wait is what becomes of a step whose time is over.
type wait struct {
	// until is when to decide about it; zero where its time is over for good.
	until time.Time
	// held is why its command's time does not run.
	held string
	// news says that the step was held for something else before, or was not.
	news bool
}

// wait finds until when the step waits on: for as long as the attempt may stay unanswered
// after its command was published to a queue that somebody takes it from.
func (t Timer) wait(d StepDefinition, id ID, s StepState, now time.Time) wait {
	if !d.asks() || s.answered() {
		return wait{}
	}
	held, from := t.Held, t.Published
	if q := t.Queues[d.Destination]; held == "" {
		held = q.Held
		if q.Served.After(from) {
			from = q.Served
		}
	}
	was := s.Held
	switch {
	case held != "" && was.Reason == "":
		return wait{until: now.Add(minHeldLook), held: held, news: true}
	case held != "":
		look := min(max(now.Sub(was.Since), minHeldLook), maxHeldLook)
		return wait{until: now.Add(look), held: held, news: t.Undeliverable || was.Reason != held}
	case from.IsZero() && was.Reason == "":
		return wait{}
	case was.Reason != "" && !from.After(was.Since): // it was not in its turn
		from = now
	}
	op := s.Operation()
	return wait{until: from.Add(d.policy(op).wait(s, spread(id, d.Name, op, s.Attempt))), news: was.Reason != ""}
}

// rests lets a step whose time is over wait on, because its command is not published to a
// queue that somebody takes it from, or has not been for long enough.
func (m *machine) rests(i int, t Timer) bool {
	s := &m.s.Steps[i]
	w := t.wait(m.def.Steps[i], m.s.ID, *s, m.now)
	if !w.news {
		if !w.until.After(m.now) {
			return false
		}
		s.WakeAt = w.until
		return true
	}
	m.about(i)
	switch {
	case t.Undeliverable:
		m.park(i, ParkUndeliverable, w.held)
		return true
	case w.held == "":
		s.Held = Held{}
		m.acted("the command is held up no more: its time runs")
	case s.Held.Reason == "":
		s.Held = Held{Reason: w.held, Since: m.now}
		m.acted(w.held)
	default:
		s.Held.Reason = w.held
		m.acted(w.held)
	}
	s.WakeAt = w.until
	return w.until.After(m.now)
}

// about makes the entry one about the step, unless it is about another already.
func (m *machine) about(i int) {
	if s := m.s.Steps[i]; m.entry.Step == "" {
		m.entry.Step, m.entry.Operation, m.entry.Attempt = s.Name, s.Operation(), s.Attempt
	}
}
