package saga

import (
	"maps"
	"slices"
	"time"

	"go.example/saga/pkg/jsonmap"
)

// Step decides what the event does to the saga. It is total and deterministic:
// every state and event has an answer, it never panics, and it leaves a terminal
// state as it is. Whatever happens, the version rises by one and one history
// entry says what became of the event.
func Step(def Definition, s State, e Event, now time.Time) Transition {
	m := machine{def: def, s: s, now: now}
	m.s.Steps = slices.Clone(s.Steps)
	m.entry.From = s.Status
	if !def.plans(s) {
		m.ignore(Quarantined, "the state belongs to another definition or version")
		return m.end()
	}
	switch e := e.(type) {
	case Reply:
		m.reply(e)
	case Timer:
		m.timer(e)
	case Signalled:
		m.signal(e)
	case Action:
		m.action(e)
	default:
		m.ignore(Quarantined, "not an event of a saga")
	}
	return m.end()
}

// plans says whether the state was started with this definition.
func (d Definition) plans(s State) bool {
	return d.Name == s.Type && d.Version == s.DefinitionVersion &&
		slices.EqualFunc(d.Steps, s.Steps, func(a StepDefinition, b StepState) bool { return a.Name == b.Name })
}

// machine is one transition in the making. Steps are addressed by their index,
// which is the same in the definition and in the state.
type machine struct {
	def     Definition
	s       State
	now     time.Time
	effects []Effect
	entry   HistoryEntry
}

func (m *machine) end() Transition {
	m.s.Version++
	m.s.UpdatedAt = m.now
	m.entry.To = m.s.Status
	return Transition{Next: m.s, Effects: m.effects, Entry: m.entry}
}

// ignore records an event that changes nothing.
func (m *machine) ignore(d Disposition, why string) {
	m.entry.Disposition, m.entry.Detail = d, why
}

// advance records an event that was waited for.
func (m *machine) advance(what string) {
	m.entry.Disposition, m.entry.Detail = Advanced, what
}

// index finds a step by its name, -1 where there is none.
func (m *machine) index(name string) int {
	return slices.IndexFunc(m.s.Steps, func(s StepState) bool { return s.Name == name })
}

// set puts a step into a status in which nothing of it is under way.
func (m *machine) set(i int, status StepStatus) {
	m.s.Steps[i] = StepState{Name: m.s.Steps[i].Name, Status: status}
}

// send makes the attempt of the operation that step i's status names.
func (m *machine) send(i, attempt int) {
	d, s := m.def.Steps[i], &m.s.Steps[i]
	op := s.Operation()
	s.Attempt, s.Park, s.Held = attempt, "", Held{}
	if attempt == 1 {
		s.Retried = Retried{} // those were answers to another operation
	}
	s.WakeAt = m.now.Add(d.policy(op).wait(*s, spread(m.s.ID, d.Name, op, attempt)))
	command := SendCommand{
		Step: d.Name, Operation: op, Attempt: attempt, Destination: d.Destination,
		Payload: m.s.Payload, Outputs: m.outputsFor(i),
	}
	if d.URL != "" {
		command.URL, command.Timeout = d.URL, d.policy(op).Timeout
	}
	if d.Send != nil {
		command.Payload, command.Outputs = d.Send.of(m.data(i)), nil
	}
	m.entry.Sent = append(m.entry.Sent, command)
	m.effects = append(m.effects, command)
}

// finish reaches a terminal state, in which nothing is waited for.
func (m *machine) finish(status Status, kind EventKind) {
	m.s.Status = status
	for i, s := range m.s.Steps {
		m.set(i, s.Status)
	}
	m.s.Paused = false
	m.s.Signals = nil
	m.s.Deadline = time.Time{}
	m.s.EndedAt = m.now
	event := EmitEvent{Kind: kind, Webhooks: union(m.def.Webhooks, m.s.Webhooks)}
	if kind == EventKilled {
		event.Detail = m.entry.Detail
	}
	m.effects = append(m.effects, event)
}

// union is both lists, each name once.
func union(a, b []string) []string {
	var all []string
	for _, name := range slices.Concat(a, b) {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// park stops the saga until an operator acts on the step, and says so.
func (m *machine) park(i int, reason ParkReason, detail string) {
	m.entry.Disposition, m.entry.Detail = Parked, detail
	if m.s.Steps[i].Park == "" && !m.emits(EventParked) { // two steps may park at once
		m.effects = append(m.effects, EmitEvent{Kind: EventParked, Detail: detail, Problem: m.entry.Problem})
	}
	m.s.Steps[i].Park, m.s.Steps[i].WakeAt, m.s.Steps[i].Held = reason, time.Time{}, Held{}
	m.s.Paused = false // it stands still anyway
	m.s.Status = StatusParked
}

// emits says whether the event is among the effects already.
func (m *machine) emits(kind EventKind) bool {
	return slices.ContainsFunc(m.effects, func(e Effect) bool {
		event, ok := e.(EmitEvent)
		return ok && event.Kind == kind
	})
}

// turnBack makes the saga compensate. What first turned it back stays the reason.
func (m *machine) turnBack(step string, class FailureClass, problem Problem) {
	if m.s.Failure == nil {
		m.s.Failure = &Failure{Step: step, Class: class, Problem: problem}
	}
	m.s.Deadline = time.Time{}
	for i, s := range m.s.Steps {
		if (s.Status == StepStarted || s.Status == StepPending) && s.Park != ParkContradiction {
			m.s.Steps[i].Park = "" // it is cancelled instead: nobody need decide
		}
	}
}

// current is the first step with something under way; empty when none has.
func (m *machine) current() string {
	for _, s := range m.s.Steps {
		if s.Operation() != "" {
			return s.Name
		}
	}
	return ""
}

// noWayBack says whether a step that cannot be undone may have taken effect.
func (m *machine) noWayBack() bool {
	for i, d := range m.def.Steps {
		switch m.s.Steps[i].Status {
		case StepConfirming, StepConfirmed:
			return true
		case StepStarted, StepSucceeded, StepSkipped:
			if d.asks() && d.Type != Compensatable {
				return true
			}
		case StepPending, StepFailed, StepCompensating, StepCompensated, StepOmitted:
		}
	}
	return false
}

// spent decides what follows when the command under way is not sent again: no attempt
// is left, or it was answered retry for too long, or with a refusal. A request that may
// be undone is: answers retry say that their attempts changed nothing, of the others
// nothing is known.
func (m *machine) spent(i int, reason ParkReason, problem Problem) {
	switch op := m.s.Steps[i].Operation(); {
	case op == Cancel:
		m.park(i, reason, "the compensation is not sent again, "+string(reason))
	case op == Confirm:
		m.park(i, reason, "the confirmation is not sent again, "+string(reason))
	case m.def.Steps[i].Type == Pivot:
		m.park(i, reason, "the pivot's outcome is unknown and cannot be undone, "+string(reason))
	case m.def.Steps[i].Type == Retriable:
		m.park(i, reason, "the step after the pivot: "+string(reason))
	case reason == ParkUnavailable:
		m.turnBack(m.s.Steps[i].Name, FailureUnavailable, problem)
		m.advance("answered retry for too long: compensating it too")
	default:
		m.turnBack(m.s.Steps[i].Name, FailureUnknown, problem)
		m.advance("outcome unknown after the last attempt: compensating it too")
	}
}

// keep stores a step's output. The map is copied: states share it.
func (m *machine) keep(i int, output jsonmap.JSONMap) {
	if d := m.def.Steps[i]; d.Keep != nil {
		output = d.Keep.of(output)
	}
	if len(output) == 0 {
		return
	}
	outputs := maps.Clone(m.s.Outputs)
	if outputs == nil {
		outputs = jsonmap.JSONMap{}
	}
	outputs[m.s.Steps[i].Name] = map[string]any(output) // as a decoder would have it
	m.s.Outputs = outputs
}

// data is what the condition and the projection of step i may read.
func (m *machine) data(i int) jsonmap.JSONMap {
	return jsonmap.JSONMap{"payload": map[string]any(m.s.Payload), "outputs": map[string]any(m.outputsFor(i))}
}

// outputsFor are the outputs of the stages before step i. Those of its neighbours come
// while it is under way, and every attempt of a command has to say the same.
func (m *machine) outputsFor(i int) jsonmap.JSONMap {
	earlier := jsonmap.JSONMap{}
	for _, s := range m.s.Steps[:m.def.stageOf(i)] {
		if output, there := m.s.Outputs[s.Name]; there {
			earlier[s.Name] = output
		}
	}
	return earlier
}
