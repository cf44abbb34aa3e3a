package sim

import (
	"fmt"
	"strings"
	"time"

	"go.example/saga/pkg/saga"
)

// account tells a schedule to people.
type account struct {
	text   strings.Builder
	relays [maxServices]bool // which of them are told of step by step
}

// add adds a line, where somebody listens.
func (a *account) add(now time.Duration, format string, args ...any) {
	if a != nil {
		fmt.Fprintf(&a.text, "+%-5v ", now)
		fmt.Fprintf(&a.text, format, args...)
		a.text.WriteByte('\n')
	}
}

// tell adds a line, where somebody listens.
func (w *world) tell(format string, args ...any) { w.told.add(w.now, format, args...) }

// tellRelay adds a line about a relay, where somebody listens to it.
func (w *world) tellRelay(s int, format string, args ...any) {
	if w.told != nil && w.told.relays[s] {
		w.tell("    relay %d: %s", s, fmt.Sprintf(format, args...))
	}
}

// String names what travels; the second saga is marked.
func (n note) String() string {
	name, second := "", ""
	if n.step >= 0 {
		name = " " + stepNames[n.step]
	}
	if n.saga > 0 {
		second = " (saga 2)"
	}
	switch n.kind {
	case aCommand:
		return fmt.Sprintf("%s%s #%d%s", operationNames[n.op], name, n.attempt, second)
	case aReply:
		return fmt.Sprintf("reply%s %s %s attempt=%d%s%s", name, operationNames[n.op], n.outcome, n.attempt, n.output(), second)
	case aSignal:
		if n.refused {
			name += " refused"
		}
		return "signal" + name + n.output() + second
	case aVerb:
		return "operator " + string(n.verb) + name + n.output() + second
	case aMove:
		return "operator migrate" + second
	case aNotice:
		return "a notice" + second
	case aTimer:
	}
	return "timer" + second
}

func (w *world) tellDefinition() {
	if w.told == nil {
		return
	}
	w.tellShape()
	if w.moving {
		w.shape = &w.shapes[1]
		w.tellShape()
		w.shape = &w.shapes[0]
	}
}

func (w *world) tellShape() {
	fmt.Fprintf(&w.told.text, "definition version %d mode %s", w.def.Version, w.def.Mode)
	if w.def.Deadline > 0 {
		fmt.Fprintf(&w.told.text, " deadline %v", w.def.Deadline)
	}
	w.told.text.WriteByte('\n')
	for i := range w.def.Steps {
		fmt.Fprintf(&w.told.text, "  stage %d  %s\n", w.stage[i], describe(&w.def.Steps[i]))
	}
}

func describe(d *saga.StepDefinition) string {
	s := d.Name + " " + string(d.Kind)
	if d.Kind == saga.Command {
		s += fmt.Sprintf(" %s, request %d×%v, cancel %d×%v", d.Type,
			d.Request.Retry.Attempts, d.Request.Timeout, d.Cancel.Retry.Attempts, d.Cancel.Timeout)
	} else {
		s += fmt.Sprintf(" %v %s", d.Wait, d.OnTimeout)
	}
	if d.When != "" {
		s += ", when " + string(d.When)
	}
	if d.Send != nil {
		s += fmt.Sprintf(", send %v", d.Send)
	}
	if d.Keep != nil {
		s += fmt.Sprintf(", keep %v", d.Keep)
	}
	return s
}

// tellApplied says what became of an event, in the words of the conversations that
// pkg/saga keeps.
func (w *world) tellApplied(a *applied) {
	if w.told == nil {
		return
	}
	heading := a.note.String()
	if a.before.Version == 0 {
		heading = "start"
	}
	w.tell("%s\n  %s: %s", heading, a.tr.Entry.Disposition, a.tr.Entry.Detail)
	b := &w.told.text
	for _, e := range a.tr.Effects {
		switch e := e.(type) {
		case saga.SendCommand:
			fmt.Fprintf(b, "  send  %s %s #%d\n", e.Operation, e.Step, e.Attempt)
		case saga.EmitEvent:
			fmt.Fprintf(b, "  tell  the saga is %s\n", e.Kind)
		}
	}
	s := &a.tr.Next
	fmt.Fprintf(b, "  now   %s v%d:", s.Status, s.Version)
	for _, step := range s.Steps {
		status := string(step.Status)
		if status == "" {
			status = "-"
		}
		if step.Park != "" {
			status += " (parked: " + string(step.Park) + ")"
		}
		fmt.Fprintf(b, " %s %s", step.Name, status)
	}
	if s.Paused {
		b.WriteString(" (paused)")
	}
	if s.Failure != nil {
		fmt.Fprintf(b, "\n  cause %s %s", s.Failure.Step, s.Failure.Class)
	}
	b.WriteByte('\n')
}

// tellCarriedOut says what a participant did.
func (w *world) tellCarriedOut(n note, run bool, answer saga.Outcome) {
	if w.told == nil {
		return
	}
	how := "answered by the barrier"
	if run {
		how = "carried out"
	}
	w.tell("  participant %d: %s: %s, %s", serviceOf(n.step), n, how, answer)
}
