package participant

import (
	"cmp"
	"fmt"
	"slices"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// task is one command of a batch and what becomes of it.
type task struct {
	cmd Command
	// index is its place in the batch.
	index int
	// run: the barrier wants the handler to run.
	run bool
	// lost: its saga is forgotten, and the row that entering wrote is to be taken back.
	lost bool
	// repeated: an earlier attempt of it has not had its turn, or is carried out now.
	repeated bool
	// off: it is left to a later transaction.
	off     bool
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

// done words the answer to a success. It fails where the output cannot be stored.
func (t *task) done(output jsonmap.JSONMap) error {
	if err := t.answer(protocol.Reply{Outcome: success(t.cmd.Operation), Output: output}); err != nil {
		return err
	}
	size, err := jsonmap.Size(t.reply.Payload)
	if err != nil {
		return fmt.Errorf("the handler's output cannot be stored: %w", err)
	}
	if size > protocol.MaxContent {
		return fmt.Errorf("the handler's output has %d bytes, at most %d are allowed", size, protocol.MaxContent)
	}
	return nil
}

func success(op saga.Operation) saga.Outcome {
	switch op {
	case saga.Confirm:
		return saga.OutcomeConfirmed
	case saga.Cancel:
		return saga.OutcomeCompensated
	case saga.Request:
	}
	return saga.OutcomeSucceeded
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

// sets divides those of a round that the barrier let in into what is carried out at
// once: all commands for one operation of a step where it has a handler for that, else
// one command. In every instance the sets come in the same order.
func (p *Participant) sets(round []*task) (sets [][]*task) {
	var alone [][]*task
	type operation struct {
		step string
		op   saga.Operation
	}
	place := map[operation]int{}
	for _, t := range round {
		if !t.run {
			continue
		}
		if _, atOnce := p.handler(t.cmd.Step, t.cmd.Operation); !atOnce {
			alone = append(alone, []*task{t})
			continue
		}
		key := operation{t.cmd.Step, t.cmd.Operation}
		n, met := place[key]
		if !met {
			n = len(sets)
			place[key] = n
			sets = append(sets, nil)
		}
		sets[n] = append(sets[n], t)
	}
	// CANCEL stands before REQUEST in the alphabet: what is given back can be had again.
	slices.SortFunc(sets, func(a, b []*task) int {
		return cmp.Or(cmp.Compare(a[0].cmd.Step, b[0].cmd.Step), cmp.Compare(a[0].cmd.Operation, b[0].cmd.Operation))
	})
	return append(sets, alone...)
}
