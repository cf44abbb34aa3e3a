package sim

import (
	"time"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// facts are what the checks know of a step: what was sent, and what the events said,
// whatever the core made of them.
type facts struct {
	sent    [operations]int           // the highest attempt
	retried [operations]int           // the attempts whose answer retry was taken
	paused  [operations]time.Duration // because of them, since an operator has last sent it again
	payload [operations]jsonmap.JSONMap
	outputs [operations]jsonmap.JSONMap
	refused bool          // it answered that it will never take effect
	undone  bool          // it answered that it is compensated
	waived  bool          // an operator said that it is done
	signal  int8          // accepted before its step was begun: 1 yes, 2 no
	kept    int8          // the number that such a signal brought
	output  int8          // the number that the step has left
	begun   time.Duration // of a delay
}

// learn takes the facts from an event that was committed.
func (w *world) learn(a *applied) {
	n := a.note
	if step := stepOf(a.tr.Entry.Step); n.kind == aVerb && n.verb == saga.Skip && a.tr.Entry.Disposition != saga.Refused {
		w.facts[n.saga][step].waived = true
	}
	if n.step < 0 {
		return
	}
	f := &w.facts[n.saga][n.step]
	if n.kind == aReply && n.outcome == saga.OutcomeRetry && a.tr.Entry.Disposition == saga.Advanced {
		w.learnRetry(a, f)
	}
	switch {
	case n.kind == aReply && n.op == request && n.outcome == saga.OutcomeFailed:
		f.refused = true
	case n.kind == aReply && n.op == cancel && n.outcome == saga.OutcomeCompensated:
		f.undone = true
	case n.kind == aSignal && a.tr.Entry.Disposition == saga.Advanced && a.was(n.step) == saga.StepPending:
		f.signal, f.kept = 1, n.number
		if n.refused {
			f.signal = 2
		}
	}
}

// learnRetry counts an answer retry that led to a pause. The pauses end.
func (w *world) learnRetry(a *applied, f *facts) {
	n, step := a.note, &a.tr.Next.Steps[a.note.step]
	if step.Operation() != operationNames[n.op] || step.Retried == a.before.Steps[n.step].Retried {
		return // it was one too many
	}
	f.retried[n.op]++
	f.paused[n.op] += step.WakeAt.Sub(a.tr.Next.UpdatedAt)
	if f.retried[n.op] > f.sent[n.op] {
		w.fail(invPatience, "%s %s: %d attempts and %d answers retry to them", operationNames[n.op], step.Name, f.sent[n.op], f.retried[n.op])
	}
	if granted := policyOf(&w.def.Steps[n.step], n.op).RetryFor; f.paused[n.op] > granted {
		w.fail(invPatience, "%s %s was answered retry and is waited for %v, which is more than %v",
			operationNames[n.op], step.Name, f.paused[n.op], granted)
	}
}

func policyOf(d *saga.StepDefinition, op operation) saga.Policy {
	switch op {
	case confirm:
		return d.Confirm
	case cancel:
		return d.Cancel
	case request, operations:
	}
	return d.Request
}

// was is the step's status before the event.
func (a *applied) was(step int8) saga.StepStatus {
	if int(step) >= len(a.before.Steps) {
		return saga.StepPending // the saga was being started, or moved to a longer plan
	}
	return a.before.Steps[step].Status
}

// brought is the number that the step leaves when the event ends it.
func (w *world) brought(a *applied, step int) int8 {
	f, d, n := &w.facts[a.note.saga][step], &w.def.Steps[step], a.note
	var number int8
	switch {
	case d.Keep["m"] != "": // it keeps nothing
	case n.kind == aVerb && n.verb == saga.Skip && stepOf(a.tr.Entry.Step) == int8(step):
		number = n.number
	case d.Kind == saga.Delay:
	case f.signal != 0 && a.was(int8(step)) == saga.StepPending:
		number = f.kept
	case n.kind != aVerb && n.step == int8(step):
		number = n.number
	}
	return number
}

// needed evaluates the step's condition, by what the checks know.
func (w *world) needed(i int8, step int) (needed, known bool) {
	var number int8
	switch n := w.needs[step]; n.kind {
	case byPayload:
		number = numberOf(w.rows[i].state.Payload)
	case byOutput:
		number = w.facts[i][n.of].output
	default:
		return true, true
	}
	return number > 1, number > 0
}
