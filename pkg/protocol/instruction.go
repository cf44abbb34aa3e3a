package protocol

import (
	"encoding/json"
	"fmt"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/saga"
)

// What [HeaderSagaOp] says of an instruction.
const (
	opStart  = "START"
	opSignal = "SIGNAL"
)

// Instruction tells the orchestrator of a service to start a saga, or what a signal step of one
// waits for. Whoever sends it need not have the orchestrator's tables.
type Instruction struct {
	// Type is the name of the saga's definition; its latest version is started.
	Type string
	// BusinessKey names the saga among those of its type. It makes a start idempotent: there is
	// one saga of a key, however often it is asked for.
	BusinessKey string
	// Payload is what the saga is started with.
	Payload jsonmap.JSONMap
	// Signal is what its step is told, in place of a start.
	Signal *saga.Signalled
}

// body is the instruction's JSON. Absent members are empty.
type instructionBody struct {
	Key     string          `json:"key"`
	Payload jsonmap.JSONMap `json:"payload,omitempty"`
	Step    string          `json:"step,omitempty"`
	Output  jsonmap.JSONMap `json:"output,omitempty"`
	Refused bool            `json:"refused,omitempty"`
	Reason  string          `json:"reason,omitempty"`
	Who     string          `json:"who,omitempty"`
}

// InstructionMessage is the message that gives the service's orchestrator the instruction. The
// SQL functions saga_start and saga_signal append the same. It fails where [DecodeInstruction] would.
func InstructionMessage(service string, i Instruction) (outbox.Message, error) {
	op, body := opStart, instructionBody{Key: i.BusinessKey, Payload: i.Payload}
	if s := i.Signal; s != nil {
		op = opSignal
		body = instructionBody{Key: i.BusinessKey, Step: s.Step, Output: s.Output, Refused: s.Refused, Reason: s.Reason, Who: s.Who}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return outbox.Message{}, fmt.Errorf("encode the instruction to %s: %w", op, err)
	}
	m := outbox.Message{
		// Ordered by key: a signal does not overtake the start of its saga on the way.
		AggregateType: i.Type, AggregateID: i.BusinessKey,
		Type: i.Type + "." + op,
		// The default exchange: the routing key is the name of the queue.
		RoutingKey: ReplyQueue(service), ContentType: typeJSON, Payload: text,
		Headers: map[string]string{HeaderSagaType: i.Type, HeaderSagaOp: op},
	}
	r := reader{d: inbox.Delivery{ContentType: m.ContentType, Headers: m.Headers, Body: text}}
	r.instruction()
	return m, r.err
}

// IsInstruction tells an instruction from a reply: both come to the queue of a service's replies.
func IsInstruction(d inbox.Delivery) bool {
	op := d.Headers[HeaderSagaOp]
	return op == opStart || op == opSignal
}

// DecodeInstruction reads an instruction. The error is a [*DecodeError]. Who signals is, where the
// message does not say, the message.
func DecodeInstruction(d inbox.Delivery) (Instruction, error) {
	r := reader{d: d}
	id := r.text("message_id", d.MessageID)
	i := r.instruction()
	if r.err != nil {
		return Instruction{}, r.err
	}
	if i.Signal != nil && i.Signal.Who == "" {
		i.Signal.Who = "message " + clean(id, MaxText-len("message "))
	}
	return i, nil
}

func (r *reader) instruction() Instruction {
	i := Instruction{Type: r.header(HeaderSagaType)}
	op := r.header(HeaderSagaOp)
	body := r.body()
	i.BusinessKey = r.text("key", r.str(body, "key"))
	switch op {
	case opStart:
		i.Payload = r.member(body, "payload")
		if err := Fits(i.Payload, nil); r.err == nil && err != nil {
			r.fail("body", "%s", err)
		}
	case opSignal:
		i.Signal = &saga.Signalled{
			Step: r.text("step", r.str(body, "step")), Refused: r.flag(body, "refused"),
			Output: r.member(body, "output"), Reason: r.str(body, "reason"), Who: r.str(body, "who"),
		}
	default:
		r.fail(HeaderSagaOp, "is %q, want %s or %s", op, opStart, opSignal)
	}
	return i
}

// flag takes an optional boolean out of the body.
func (r *reader) flag(body jsonmap.JSONMap, name string) bool {
	value, there := body[name]
	flag, ok := value.(bool)
	if there && !ok {
		r.fail("body", "%s is not true or false", name)
	}
	return flag
}
