package sim

import "go.example/saga/pkg/saga"

// barrier is the twin of the SQL functions that guard a participant: what became of
// each step. TestTheTwinIsTheBarrier holds that both decide alike.
type barrier [maxSagas][maxSteps]guard

// guard is the barrier's row of one step.
type guard struct {
	state  guarded
	number int8 // the output of the request
}

// guarded is what became of a step.
type guarded uint8

const (
	unheardOf guarded = iota
	succeeded
	failed
	cancelled // its CANCEL came first: the request must never run
	confirmed
	compensated
)

// enter says whether the work has to be done, or else what to answer.
func (e *guard) enter(op operation) (run bool, answer saga.Outcome) {
	switch op {
	case confirm:
		return e.enterConfirm()
	case cancel:
		return e.enterCancel()
	case request, operations:
	}
	switch e.state {
	case unheardOf:
		return true, ""
	case failed, cancelled:
		return false, saga.OutcomeFailed
	case succeeded, confirmed, compensated:
	}
	return false, saga.OutcomeSucceeded
}

func (e *guard) enterConfirm() (run bool, answer saga.Outcome) {
	switch e.state {
	case unheardOf:
		return false, saga.OutcomeRetry // nothing has been reserved yet
	case succeeded:
		return true, ""
	case confirmed:
		return false, saga.OutcomeConfirmed
	case failed, cancelled, compensated:
	}
	return false, saga.OutcomeFailed
}

func (e *guard) enterCancel() (run bool, answer saga.Outcome) {
	switch e.state {
	case unheardOf:
		e.state = cancelled
	case succeeded:
		return true, ""
	case confirmed:
		return false, saga.OutcomeFailed
	case failed, cancelled, compensated:
	}
	return false, saga.OutcomeCompensated
}

// leave keeps what came of the work that enter asked for. What failed for a
// technical reason is not kept, nor is a no to a CONFIRM or CANCEL.
func (e *guard) leave(op operation, outcome saga.Outcome, number int8) {
	switch outcome {
	case saga.OutcomeSucceeded:
		e.state, e.number = succeeded, number
	case saga.OutcomeConfirmed:
		e.state = confirmed
	case saga.OutcomeCompensated:
		e.state = compensated
	case saga.OutcomeFailed:
		if op == request {
			e.state = failed
		}
	case saga.OutcomeRetry:
	}
}
