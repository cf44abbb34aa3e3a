package sim

import (
	"encoding/json"
	"fmt"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// The bounds of a schedule: small ones find the same faults, and sooner.
const (
	maxSagas    = 2
	maxSteps    = 5
	maxServices = 3 // the orchestrator is the first
)

// operation numbers the operations, to index arrays with.
type operation uint8

const (
	request operation = iota
	confirm
	cancel
	operations
)

var operationNames = [operations]saga.Operation{saga.Request, saga.Confirm, saga.Cancel}

func numbered(op saga.Operation) operation {
	switch op {
	case saga.Confirm:
		return confirm
	case saga.Cancel:
		return cancel
	case saga.Request:
	}
	return request
}

// kind is what a note is.
type kind uint8

const (
	aCommand kind = iota
	aReply
	aTimer
	aSignal
	aVerb
	aMove   // to the second version of the definition
	aNotice // for listeners, of whom there are none here
)

// note is anything that travels: a command, a reply, or what else the orchestrator
// is told. It holds no pointers, so that it costs nothing to copy.
type note struct {
	kind    kind
	saga    int8
	step    int8 // -1: none
	op      operation
	attempt int
	outcome saga.Outcome
	number  int8 // of the output; 0 is none
	refused bool // a signal
	curt    bool // a verb without a reason
	verb    saga.Verb
}

var (
	stepNames = [maxSteps]string{"a", "b", "c", "d", "e"}
	// outputs are what a step brings: its number as a decoder would have it.
	outputs = [...]jsonmap.JSONMap{nil, {"n": json.Number("1")}, {"n": json.Number("2")}, {"n": json.Number("3")}}
)

// event is the note as the core takes it.
func (n note) event() saga.Event {
	name := ""
	if n.step >= 0 {
		name = stepNames[n.step]
	}
	reason := "because"
	if n.curt {
		reason = ""
	}
	switch n.kind {
	case aReply:
		return saga.Reply{
			Step: name, Operation: operationNames[n.op], Outcome: n.outcome, Attempt: n.attempt, Output: outputs[n.number],
		}
	case aSignal:
		return saga.Signalled{Step: name, Refused: n.refused, Output: outputs[n.number], Who: "ada"}
	case aVerb:
		return saga.Action{Verb: n.verb, Step: name, Reason: reason, Output: outputs[n.number], Who: "ada"}
	case aCommand, aTimer, aMove, aNotice:
	}
	return saga.Timer{}
}

// output is the note's, to be read.
func (n note) output() string {
	if n.number == 0 {
		return ""
	}
	return fmt.Sprintf(" %v", outputs[n.number])
}
