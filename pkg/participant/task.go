package participant

import (
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// task is one command of a batch and what becomes of it.
type task struct {
	cmd Command
	// run: the barrier wants the handler to run.
	run     bool
	outcome saga.Outcome
	// reply is the message that says the outcome.
	reply outbox.Message
}

// answer words the reply. It fails where an output is not JSON.
func (t *task) answer(r protocol.Reply) (err error) {
	t.outcome = r.Outcome
	t.reply, err = protocol.ReplyMessage(t.cmd, r)
	return err
}

// presumed says whether the outcome is the one that entering the barrier wrote down:
// a success without output.
func (t *task) presumed() bool {
	switch t.outcome {
	case saga.OutcomeConfirmed, saga.OutcomeCompensated:
		return true
	case saga.OutcomeSucceeded:
		return string(t.reply.Payload) == "{}"
	case saga.OutcomeFailed, saga.OutcomeRetry:
	}
	return false
}

// rounds divides the tasks so that no step of a saga occurs twice in a round: the
// barrier can answer a command when the one before it is decided. Nearly always
// there is one round.
func rounds(tasks []*task) (rounds [][]*task) {
	type step struct {
		id   saga.ID
		name string
	}
	before := map[step]int{}
	for _, t := range tasks {
		key := step{t.cmd.SagaID, t.cmd.Step}
		n := before[key]
		before[key]++
		if n == len(rounds) {
			rounds = append(rounds, nil)
		}
		rounds[n] = append(rounds[n], t)
	}
	return rounds
}
