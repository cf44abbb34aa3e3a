package protocol

import (
	"encoding/json"
	"fmt"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/saga"
)

// Reply is what a participant answers.
type Reply struct {
	Outcome saga.Outcome
	// Output goes with succeeded: what later steps and the event may read.
	Output jsonmap.JSONMap
	// Problem goes with failed and retry.
	Problem saga.Problem
}

// ReplyMessage is the message that answers cmd. It fails where the outcome does
// not answer the command's operation or the output is not JSON.
func ReplyMessage(cmd Command, reply Reply) (outbox.Message, error) {
	if !reply.Outcome.Answers(cmd.Operation) {
		return outbox.Message{}, fmt.Errorf("answer %s: %q is no answer to %s", cmd.Key(), reply.Outcome, cmd.Operation)
	}
	m := cmd.envelope()
	var err error
	m.ContentType = mediaType(reply.Outcome)
	switch reply.Outcome {
	case saga.OutcomeSucceeded:
		m.Payload, err = reply.Output.MarshalJSON() // json.Marshal reads it once more
	case saga.OutcomeConfirmed, saga.OutcomeCompensated:
		m.Payload = []byte("{}")
	default:
		m.Payload, err = json.Marshal(tellable(reply.Problem))
	}
	if err != nil {
		return outbox.Message{}, fmt.Errorf("encode the answer to %s: %w", cmd.Key(), err)
	}
	m.ID = ReplyID(cmd.MessageID, reply.Outcome)
	m.Type = cmd.Step + "." + string(cmd.Operation) + "." + string(reply.Outcome)
	// The default exchange: the routing key is the name of the queue.
	m.RoutingKey = cmd.ReplyTo
	m.Headers[HeaderSagaOutcome] = string(reply.Outcome)
	return m, nil
}

func mediaType(outcome saga.Outcome) string {
	if outcome == saga.OutcomeFailed || outcome == saga.OutcomeRetry {
		return typeProblem
	}
	return typeJSON
}

// DecodeReply reads a reply and the saga it belongs to. The error is a
// [*DecodeError].
//
// The correlation id is not looked at: RPC helpers of AMQP clients like to put
// the request's message id there. Members of a problem that have the wrong type
// are ignored, as RFC 9457, section 3.1, wants it; texts above [MaxProblemText]
// are cut.
func DecodeReply(d inbox.Delivery) (saga.ID, saga.Reply, error) {
	r := reader{d: d}
	cmd := r.envelope()
	reply := saga.Reply{
		Step:      cmd.Step,
		Operation: cmd.Operation,
		Attempt:   cmd.Attempt,
		Outcome:   saga.Outcome(r.header(HeaderSagaOutcome)),
		MessageID: r.text("message_id", d.MessageID),
	}
	if !reply.Outcome.Answers(reply.Operation) {
		r.fail(HeaderSagaOutcome, "%q is no answer to %s", reply.Outcome, reply.Operation)
	}
	body := r.body()
	switch reply.Outcome {
	case saga.OutcomeSucceeded:
		reply.Output = body
	case saga.OutcomeFailed, saga.OutcomeRetry:
		reply.Problem = problem(body)
	case saga.OutcomeConfirmed, saga.OutcomeCompensated:
		// The body is an object; nothing in it matters.
	}
	if r.err != nil {
		return saga.ID{}, saga.Reply{}, r.err
	}
	return cmd.SagaID, reply, nil
}

func problem(body jsonmap.JSONMap) saga.Problem {
	member := func(name string) string {
		s, _ := body[name].(string)
		return s
	}
	return tellable(saga.Problem{Type: member("type"), Title: member("title"), Detail: member("detail")})
}
