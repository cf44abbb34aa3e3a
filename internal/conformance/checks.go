package conformance

import (
	"slices"

	"go.example/saga/pkg/saga"
)

// Headings of docs/protocol.md.
const (
	ruleBarrier    = "What to answer when: the barrier"
	ruleRedelivery = "Redelivery, order and time"
	ruleRefused    = "What is refused"
	ruleReplies    = "Replies"
	ruleCommands   = "Commands"
)

const (
	refused = saga.OutcomeFailed
	// burst is so many that a restart meets some of them under way.
	burst = 100
)

// Replies is the check of the form of all replies, whatever they answer. It sends nothing
// of its own.
var Replies = Check{
	Name: "replies", Rule: ruleReplies,
	Demands: "each reply has the required headers, a JSON body, and an id that is the same when the answer is repeated",
}

// Checks are all, in the order in which they are made: those come last that a participant may not survive.
func Checks() []Check {
	return slices.Concat([]Check{{
		Name: "request", Rule: ruleCommands,
		Demands: "a REQUEST is carried out and answered",
		Rounds:  []Round{{request(0)}},
	}}, repeats(), cancels(), refusals(), confirms(), strangers())
}

func repeats() []Check {
	return []Check{{
		Name: "redelivery", Rule: ruleRedelivery,
		Demands: "the same message once more, as after a crash between commit and acknowledgement, is answered the same",
		Rounds:  []Round{{request(0)}, {request(0)}, {request(0).times(3)}},
	}, {
		Name: "attempt", Rule: ruleRedelivery,
		Demands: "another attempt, with the same key and another message id, has the same outcome and output",
		Rounds:  []Round{{request(0)}, {request(0).try(2)}, {request(0).try(3)}},
	}, {
		Name: "duplicates", Rule: ruleBarrier,
		Demands: "copies and attempts that come at the same time are each answered, and alike",
		Rounds:  []Round{{request(0).times(6), request(0).try(2).times(6), request(0).try(3).times(6)}, {request(0).try(4)}},
	}, {
		Name: "sagas", Rule: ruleBarrier,
		Demands: "what is decided for one saga is nothing to another one",
		Rounds: []Round{
			{cancel(0), request(1)},
			{request(0).wants(refused), request(2), cancel(3)},
			{request(1).try(2), request(2).try(2), request(3).wants(refused)},
		},
	}}
}

func cancels() []Check {
	undone := Needs{Cancel: true}
	var race, after Round
	for i := range 8 {
		race = append(race, request(i).wants(saga.OutcomeSucceeded, refused), cancel(i))
		after = append(after, request(i).try(2).wants(saga.OutcomeSucceeded, refused), cancel(i).try(2))
	}
	return []Check{{
		Name: "cancel-first", Rule: ruleBarrier,
		Demands: "a CANCEL before its REQUEST is compensated, and the late REQUEST refused",
		Rounds:  []Round{{cancel(0)}, {request(0).wants(refused)}, {request(0).try(2).wants(refused)}, {cancel(0).try(2)}},
	}, {
		Name: "cancel", Rule: ruleBarrier, Needs: undone,
		Demands: "a CANCEL after the REQUEST is compensated, and so is each repetition",
		Rounds:  []Round{{request(0)}, {cancel(0)}, {cancel(0)}, {cancel(0).try(2)}},
	}, {
		Name: "late-request", Rule: ruleBarrier, Needs: undone,
		Demands: "a REQUEST that comes again after its CANCEL is answered as before",
		Rounds:  []Round{{request(0)}, {cancel(0)}, {request(0)}, {request(0).try(2)}},
	}, {
		Name: "race", Rule: ruleBarrier, Needs: undone,
		Demands: "of a REQUEST and a CANCEL at the same time either comes first, and it stays so",
		Rounds:  []Round{race, after},
	}}
}

func refusals() []Check {
	no := func() Command { return request(0).of(Refused).wants(refused) }
	return []Check{{
		Name: "refusal", Rule: ruleBarrier, Needs: Needs{Refusal: true},
		Demands: "a refusal is remembered, with its problem",
		Rounds:  []Round{{no()}, {no()}, {no().try(2)}},
	}, {
		Name: "cancel-refused", Rule: ruleBarrier, Needs: Needs{Refusal: true},
		Demands: "a CANCEL of what was refused is compensated, a CONFIRM failed",
		Rounds:  []Round{{no()}, {confirm(0).wants(saga.OutcomeFailed)}, {cancel(0)}, {no().try(2)}},
	}}
}

func confirms() []Check {
	tcc := Needs{Confirm: true}
	return []Check{{
		Name: "confirm-first", Rule: ruleBarrier,
		Demands: "a CONFIRM without its REQUEST is answered retry, and nothing is remembered of it",
		Rounds:  []Round{{confirm(0).wants(saga.OutcomeRetry)}, {request(0)}},
	}, {
		Name: "confirm", Rule: ruleBarrier, Needs: tcc,
		Demands: "a CONFIRM after the REQUEST is confirmed, so is each repetition, and the REQUEST is answered as before",
		Rounds:  []Round{{request(0)}, {confirm(0)}, {confirm(0)}, {confirm(0).try(2)}, {request(0).try(2)}},
	}, {
		Name: "cancel-confirmed", Rule: ruleBarrier, Needs: tcc,
		Demands: "a CANCEL of what was confirmed is failed, and changes nothing",
		Rounds:  []Round{{request(0)}, {confirm(0)}, {cancel(0).wants(saga.OutcomeFailed)}, {confirm(0).try(2)}},
	}, {
		Name: "confirm-cancelled", Rule: ruleBarrier, Needs: Needs{Confirm: true, Cancel: true},
		Demands: "a CONFIRM of what was taken back is failed, and changes nothing",
		Rounds:  []Round{{request(0)}, {cancel(0)}, {confirm(0).wants(saga.OutcomeFailed)}, {cancel(0).try(2)}},
	}}
}

func strangers() []Check {
	var unreadable []Round
	for i, flaw := range Flaws() {
		unreadable = append(unreadable, Round{request(2 * i).with(&flaw)}, Round{request(2*i + 1)})
	}
	var sent, again Round
	for i := range burst {
		sent, again = append(sent, request(i)), append(again, request(i))
	}
	return []Check{{
		Name: "unknown-step", Rule: ruleRefused,
		Demands: "a REQUEST for a step that there is not is failed, and a CANCEL of it compensated: none is left without an answer",
		Rounds: []Round{
			{request(0).unknown().wants(refused), cancel(1).unknown()},
			{request(0).unknown().try(2).wants(refused)},
			{cancel(0).unknown()},
		},
	}, {
		Name: "largest", Rule: ruleCommands,
		Demands: "a command with a body of the largest size that is allowed is carried out",
		Rounds:  []Round{{request(0).of(Largest)}, {request(0).of(Largest)}},
	}, {
		Name: "unreadable", Rule: ruleRefused,
		Demands: "a message that breaks a rule is not answered as done, and the next command is carried out",
		Rounds:  unreadable,
	}, {
		Name: "restart", Rule: ruleRedelivery, Needs: Needs{Restart: true}, Restart: true,
		Demands: "commands among which the participant is killed and restarted are each answered, and alike",
		Rounds:  []Round{sent, again},
	}}
}
