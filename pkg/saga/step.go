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
		m.timer()
	case Action:
		m.action(e)
	default:
		m.ignore(Quarantined, "not an event of a saga")
	}
	return m.end()
}

// Terminal says whether the status is an end: nothing leaves it.
func (s Status) Terminal() bool { return s == StatusCompleted || s == StatusAborted }

// machine is one transition in the making.
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

// forward requests the next step, or completes the saga.
func (m *machine) forward() {
	m.s.Status = StatusStarted
	name, ok := NextSagaStep(m.s.Steps)
	if !ok {
		m.finish(StatusCompleted, EventCompleted)
		return
	}
	m.setStep(name, StepStarted)
	m.send(name, Request, 1)
}

// backward cancels the previous step in effect, or ends the abort.
func (m *machine) backward() {
	m.s.Status = StatusAborting
	name, ok := PrevSagaStep(m.s.Steps)
	if !ok {
		m.finish(StatusAborted, EventAborted)
		return
	}
	m.setStep(name, StepCompensating)
	m.send(name, Cancel, 1)
}

// send makes (step, op) the command that the saga waits for.
func (m *machine) send(step string, op Operation, attempt int) {
	d, _ := m.def.step(step)
	m.s.CurrentStep, m.s.Operation, m.s.Attempt = step, op, attempt
	m.s.ParkReason = ""
	m.s.WakeAt = m.now.Add(d.policy(op).wait(attempt, spread(m.s.ID, step, op, attempt)))
	command := SendCommand{
		Step: step, Operation: op, Attempt: attempt,
		Destination: d.Destination, ReplyTo: m.def.ReplyTo,
	}
	m.entry.Sent = &command
	m.effects = append(m.effects, command)
}

// finish reaches a terminal state.
func (m *machine) finish(status Status, kind EventKind) {
	m.s.Status = status
	m.s.CurrentStep, m.s.Operation, m.s.Attempt = "", "", 0
	m.s.ParkReason = ""
	m.s.WakeAt = time.Time{}
	m.s.EndedAt = m.now
	m.effects = append(m.effects, EmitEvent{Kind: kind})
}

// park stops the saga until an operator acts, and says so once.
func (m *machine) park(reason ParkReason, detail string) {
	m.entry.Disposition, m.entry.Detail = Parked, detail
	if m.s.Status != StatusParked {
		m.effects = append(m.effects, EmitEvent{Kind: EventParked})
	}
	m.s.Status, m.s.ParkReason = StatusParked, reason
	m.s.WakeAt = time.Time{}
}

// unpark takes up the direction in which the saga went before it was parked.
func (m *machine) unpark() {
	m.s.ParkReason = ""
	m.s.Status = StatusStarted
	if m.s.Operation == Cancel {
		m.s.Status = StatusAborting
	}
}

// spent decides what follows when the waiting command has no attempt left.
func (m *machine) spent(reason ParkReason) {
	d, _ := m.def.step(m.s.CurrentStep)
	switch {
	case m.s.Operation == Cancel:
		m.park(reason, "the compensation has no attempt left")
	case d.Type == Pivot:
		m.park(reason, "the pivot's outcome is unknown and cannot be undone")
	case d.Type == Retriable:
		m.park(reason, "the step after the pivot has no attempt left")
	default:
		m.s.Failure = &Failure{Step: m.s.CurrentStep, Class: FailureUnknown}
		m.advance("outcome unknown after the last attempt: compensating it too")
		m.backward()
	}
}

func (m *machine) stepStatus(name string) (StepStatus, bool) {
	for _, s := range m.s.Steps {
		if s.Name == name {
			return s.Status, true
		}
	}
	return "", false
}

func (m *machine) setStep(name string, status StepStatus) {
	for i := range m.s.Steps {
		if m.s.Steps[i].Name == name {
			m.s.Steps[i].Status = status
		}
	}
}

// keep stores a step's output. The map is copied: states share it.
func (m *machine) keep(step string, output jsonmap.JSONMap) {
	if len(output) == 0 {
		return
	}
	outputs := maps.Clone(m.s.Outputs)
	if outputs == nil {
		outputs = jsonmap.JSONMap{}
	}
	outputs[step] = map[string]any(output) // as a decoder would have it
	m.s.Outputs = outputs
}

// plans says whether the state was started with this definition.
func (d Definition) plans(s State) bool {
	return d.Name == s.Type && d.Version == s.DefinitionVersion &&
		slices.EqualFunc(d.Steps, s.Steps, func(a StepDefinition, b StepState) bool { return a.Name == b.Name })
}

// step finds a step's definition by name.
func (d Definition) step(name string) (StepDefinition, bool) {
	for _, s := range d.Steps {
		if s.Name == name {
			return s, true
		}
	}
	return StepDefinition{}, false
}
