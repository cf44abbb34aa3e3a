package sim

import "go.example/saga/pkg/saga"

// checkSteps holds what is true of a step that has moved.
func (w *world) checkSteps(a *applied) {
	i := a.note.saga
	for step := range a.tr.Next.Steps {
		was, is := a.was(int8(step)), a.tr.Next.Steps[step].Status
		f := &w.facts[i][step]
		if is != was && (was == saga.StepPending || was == saga.StepStarted) {
			f.output = w.brought(a, step)
		}
		if was == saga.StepPending && is != was {
			w.checkNeeded(i, step, is)
		}
		switch w.def.Steps[step].Kind {
		case saga.Delay:
			w.checkDelay(a, step, was, is)
		case saga.Signal:
			w.checkSignal(a, step)
		case saga.Command:
		}
	}
}

func (w *world) checkNeeded(i int8, step int, is saga.StepStatus) {
	needed, known := w.needed(i, step)
	switch is {
	case saga.StepOmitted:
		if needed || !known {
			w.fail(invNeeded, "step %s was left out", stepNames[step])
		}
	case saga.StepStarted, saga.StepSucceeded:
		if !needed || !known {
			w.fail(invNeeded, "step %s was begun", stepNames[step])
		}
	case saga.StepPending, saga.StepFailed, saga.StepConfirming, saga.StepConfirmed, saga.StepCompensating,
		saga.StepCompensated, saga.StepSkipped:
	}
}

func (w *world) checkDelay(a *applied, step int, was, is saga.StepStatus) {
	f, at := &w.facts[a.note.saga][step], a.tr.Next.UpdatedAt.Sub(epoch)
	switch {
	case was != saga.StepStarted && is == saga.StepStarted:
		f.begun = at
	case was != saga.StepSucceeded && is == saga.StepSucceeded && at < f.begun+w.def.Steps[step].Wait:
		w.fail(invDelay, "step %s was over after %v", stepNames[step], at-f.begun)
	}
}

func (w *world) checkSignal(a *applied, step int) {
	s, f := &a.tr.Next, &w.facts[a.note.saga][step]
	failure := s.Failure
	switch {
	case f.signal == 1 && s.Steps[step].Status == saga.StepStarted:
		w.fail(invSignal, "step %s waits for what it was told", stepNames[step])
	case f.signal == 1 && failure != nil && failure.Step == stepNames[step] && failure.Class == saga.FailureUnsignalled:
		w.fail(invSignal, "step %s went back as if nobody had signalled", stepNames[step])
	}
}
