package sim

import "go.example/saga/pkg/saga"

// checkOutcome holds atomicity of a saga that has ended.
func (w *world) checkOutcome(i int8) {
	switch s := &w.rows[i].state; s.Status {
	case saga.StatusAborted:
		for step := range s.Steps {
			if !w.settled(i, step) {
				w.fail(invAborted, "step %s is in effect, or may be", stepNames[step])
			}
		}
	case saga.StatusCompleted:
		for step := range s.Steps {
			w.checkCompleted(i, step, s.Steps[step].Status)
		}
	case saga.StatusStarted, saga.StatusAborting, saga.StatusParked, saga.StatusKilled:
	}
}

func (w *world) checkCompleted(i int8, step int, status saga.StepStatus) {
	d, f := &w.def.Steps[step], &w.facts[i][step]
	switch {
	case f.waived || status == saga.StepOmitted && f.sent[request] == 0:
	case d.Kind != saga.Command && status != saga.StepSucceeded:
		w.fail(invCompleted, "step %s is %s", stepNames[step], status)
	case d.Kind == saga.Command && !w.inForce(i, int8(step)):
		w.fail(invCompleted, "step %s is not in force", stepNames[step])
	case d.Kind == saga.Command && w.def.Mode == saga.TCC && w.ledger[i][step][confirm] == 0:
		w.fail(invCompleted, "step %s is not confirmed", stepNames[step])
	}
}

// checkEnd holds that every saga has ended and stayed as it ended.
func (w *world) checkEnd() {
	w.checkLost()
	for i := range w.sagas {
		if !w.rows[i].state.Status.Terminal() {
			w.fail(invProgress, "a saga is still %s", w.rows[i].state.Status)
		}
		w.follow(&w.rows[i].state)
		w.checkOutcome(int8(i))
	}
}
