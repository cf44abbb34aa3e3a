package sim

import "go.example/saga/pkg/saga"

// ledger counts what the participants really did: how often each operation of each
// step took effect. The barrier and the orchestrator know nothing of it.
type ledger [maxSagas][maxSteps][operations]int8

// inForce says whether the step's effect is there and was not undone.
func (w *world) inForce(i, step int8) bool {
	l := w.ledger[i][step]
	return l[request] > l[cancel]
}

// checkEffect holds what must be so whatever the orchestrator does.
func (w *world) checkEffect(n note) {
	l := w.ledger[n.saga][n.step]
	for op, times := range l {
		if times > 1 {
			w.fail(invTwice, "step %s: %s took effect %d times", stepNames[n.step], operationNames[op], times)
		}
	}
	switch {
	case l[cancel] > l[request]:
		w.fail(invTwice, "step %s: undone though it was not done", stepNames[n.step])
	case l[confirm] > l[request] || l[confirm] > 0 && l[cancel] > 0:
		w.fail(invTwice, "step %s: confirmed though nothing is reserved", stepNames[n.step])
	case w.status(n.saga) == saga.StatusAborted && w.inForce(n.saga, n.step) && !w.facts[n.saga][n.step].waived:
		w.fail(invAborted, "step %s takes effect after the saga is ABORTED", stepNames[n.step])
	}
}
