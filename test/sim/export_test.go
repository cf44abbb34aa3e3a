package sim

import "go.example/saga/pkg/saga"

// Twin is the entry of one step in the twin of the barrier, for its comparison with
// the barrier.
type Twin struct{ entry guard }

// Enter and Leave are the twin's.
func (t *Twin) Enter(op saga.Operation) (run bool, answer saga.Outcome) {
	return t.entry.enter(numbered(op))
}

// Leave keeps what came of the work.
func (t *Twin) Leave(op saga.Operation, outcome saga.Outcome, number int) {
	t.entry.leave(numbered(op), outcome, int8(number))
}

// Number is the output that is kept.
func (t *Twin) Number() int { return int(t.entry.number) }
