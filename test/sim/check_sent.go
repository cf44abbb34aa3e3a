package sim

import "go.example/saga/pkg/saga"

// checkSent holds what must be true when a command goes out.
func (w *world) checkSent(a *applied, c *saga.SendCommand) {
	step, op := stepOf(c.Step), numbered(c.Operation)
	f := &w.facts[a.note.saga][step]
	if a.tr.Next.Status.Terminal() {
		w.fail(invAfterEnd, "%s %s goes out at the end", c.Operation, c.Step)
	}
	if c.Attempt != f.sent[op]+1 {
		w.fail(invIdentity, "%s %s: attempt %d after %d", c.Operation, c.Step, c.Attempt, f.sent[op])
	}
	if f.sent[op] == 0 {
		f.payload[op], f.outputs[op] = c.Payload, c.Outputs
	} else if !same(f.payload[op], c.Payload) || !same(f.outputs[op], c.Outputs) {
		w.fail(invIdentity, "%s %s: attempt %d says something else than the first", c.Operation, c.Step, c.Attempt)
	}
	if c.Attempt > 1 {
		w.checkWaited(a, step, op, c.Attempt-1)
	}
	f.sent[op] = c.Attempt
	if a.note.kind == aVerb && a.note.verb == saga.RetryNow {
		f.paused[op] = 0
	}
	switch op {
	case request:
		w.checkRequest(a, int(step), c)
	case confirm:
		w.checkConfirm(a)
	case cancel:
		w.checkCancel(a, int(step), c.Attempt == 1)
	case operations:
	}
}

func (w *world) checkRequest(a *applied, step int, c *saga.SendCommand) {
	i := a.note.saga
	if a.tr.Next.Failure != nil {
		w.fail(invForward, "step %s is requested while the saga goes back", c.Step)
	}
	for other := range w.def.Steps {
		status := a.tr.Next.Steps[other].Status
		earlier := w.stage[other] < w.stage[step]
		if _, there := c.Outputs[stepNames[other]]; there && !earlier {
			w.fail(invIdentity, "step %s is given the output of %s, which is no earlier one", c.Step, stepNames[other])
		}
		switch {
		case c.Attempt > 1 || !earlier || status == saga.StepOmitted || w.facts[i][other].waived:
		case w.def.Steps[other].Kind != saga.Command && status != saga.StepSucceeded,
			w.def.Steps[other].Kind == saga.Command && !w.inForce(i, int8(other)):
			w.fail(invForward, "step %s is requested before %s is through", c.Step, stepNames[other])
		}
	}
}

func (w *world) checkConfirm(a *applied) {
	i := a.note.saga
	for other := range w.def.Steps {
		f := &w.facts[i][other]
		switch {
		case f.sent[cancel] > 0:
			w.fail(invConfirm, "step %s was cancelled", stepNames[other])
		case w.def.Steps[other].Kind != saga.Command || f.waived || a.tr.Next.Steps[other].Status == saga.StepOmitted:
		case !w.inForce(i, int8(other)):
			w.fail(invConfirm, "step %s has reserved nothing", stepNames[other])
		}
	}
}

// checkCancel is strict about the order of what begins: what is under way already may
// have been begun by another version's stages.
func (w *world) checkCancel(a *applied, step int, first bool) {
	i := a.note.saga
	name := stepNames[step]
	if w.facts[i][step].sent[request] == 0 {
		w.fail(invReverse, "step %s is compensated and was never begun", name)
	}
	if w.def.Steps[step].Type != saga.Compensatable {
		w.fail(invNoWayBack, "step %s is a %s", name, w.def.Steps[step].Type)
	}
	for other, d := range w.def.Steps {
		f := &w.facts[i][other]
		switch {
		case f.sent[confirm] > 0:
			w.fail(invNoWayBack, "step %s is compensated after a CONFIRM of %s", name, stepNames[other])
		case d.Kind == saga.Command && d.Type != saga.Compensatable && !f.waived && w.inForce(i, int8(other)):
			w.fail(invNoWayBack, "step %s is compensated though %s took effect", name, stepNames[other])
		case first && w.stage[other] > w.stage[step] && !w.settled(i, other):
			w.fail(invReverse, "step %s is compensated before %s, which came later", name, stepNames[other])
		}
	}
}

// settled says whether nothing of the step is in effect, nor can be any more.
func (w *world) settled(i int8, step int) bool {
	f := &w.facts[i][step]
	return f.waived || !w.inForce(i, int8(step)) && (f.sent[request] == 0 || f.refused || f.undone)
}
