package conformance

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// Subject is the participant that is checked, and what is known of it.
type Subject struct {
	// Destination is its service, or URL where it is called by HTTP.
	Destination, URL string
	Step             string
	// Payload is that of a command that succeeds, Refused that of one that is refused.
	Payload, Refused jsonmap.JSONMap
	// Has says which checks can be made.
	Has Needs
}

// LeftOut says why a check is not made of the subject; empty where it is.
func (s Subject) LeftOut(c Check) string {
	switch {
	case c.Needs.Confirm && !s.Has.Confirm:
		return "needs --tcc: the step has a CONFIRM"
	case c.Needs.Cancel && !s.Has.Cancel:
		return "the step has no CANCEL (--without-cancel)"
	case c.Needs.Refusal && !s.Has.Refusal:
		return "needs --refused-payload: a payload that is refused"
	case c.Needs.Restart && !s.Has.Restart:
		return "needs --restart: what kills and restarts the participant"
	}
	return ""
}

const (
	sagaType = "conformance"
	// nobody is the name of a step that no participant has.
	nobody = "conformance-no-such-step"
)

// Message is the command as an orchestrator's relay sends it, with its flaw.
func (s Subject) Message(service string, id saga.ID, c Command) (inbox.Delivery, error) {
	step, payload, outputs := s.Step, s.Payload, jsonmap.JSONMap{}
	if c.Unknown {
		step = nobody
	}
	switch c.Content {
	case Refused:
		payload = s.Refused
	case Largest:
		outputs = filler(payload)
	case Usual:
	}
	m, err := protocol.CommandMessage(service, saga.State{ID: id, Type: sagaType}, saga.SendCommand{
		Step: step, Operation: c.Operation, Attempt: c.Attempt, Payload: payload, Outputs: outputs,
		Destination: s.Destination, URL: s.URL, Timeout: 30 * time.Second,
	})
	if err != nil {
		return inbox.Delivery{}, fmt.Errorf("make %s: %w", c, err)
	}
	headers := maps.Clone(m.Headers)
	headers["cloudEvents_specversion"], headers["cloudEvents_id"] = "1.0", m.ID.String()
	headers["cloudEvents_source"], headers["cloudEvents_type"] = "/"+service+"/"+sagaType+"/"+m.AggregateID, m.Type
	d := inbox.Delivery{
		MessageID: m.ID.String(), CorrelationID: m.CorrelationID, Type: m.Type, ReplyTo: m.ReplyTo, ContentType: m.ContentType,
		AppID: "orchestrator conformance", Exchange: m.Exchange, RoutingKey: m.RoutingKey, Headers: headers, Body: m.Payload,
	}
	if c.Flaw != nil {
		c.Flaw.Break(&d)
	}
	return d, nil
}

// filler are outputs that fill up the body.
func filler(payload jsonmap.JSONMap) jsonmap.JSONMap {
	with := func(n int) jsonmap.JSONMap {
		return jsonmap.JSONMap{nobody: jsonmap.JSONMap{"filler": strings.Repeat("a", n)}}
	}
	body, err := protocol.Content(payload, with(0))
	if err != nil {
		return with(0) // too large by itself, which the message says
	}
	size, err := jsonmap.Size(body)
	if err != nil {
		return with(0)
	}
	return with(protocol.MaxContent - size)
}

// key is what the protocol calls so.
func key(d inbox.Delivery) (id, step, op string) {
	parts := strings.Split(d.Headers[protocol.HeaderSagaKey], "/")
	if len(parts) == 3 {
		id, step, op = parts[0], parts[1], parts[2]
	}
	return id, step, op
}

// text is the saga's id as messages have it.
func text(id saga.ID) string { return uuid.UUID(id).String() }
