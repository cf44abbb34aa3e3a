package sagayaml

import (
	"fmt"

	"go.example/saga/pkg/saga"
)

// step reads one step; those of a group are given its name.
func (r *reader) step(v value, group string, def *saga.Definition) {
	v.flat = stepPath(len(def.Steps))
	r.note(v)
	m := r.keys(v, "name", "kind", "type", "group", "when", "destination", "transport", "url", "request", "confirm", "cancel",
		"send", "keep", "wait", "on_timeout")
	s := saga.StepDefinition{Kind: saga.Command, Type: saga.Compensatable, Group: group}
	r.text(m["name"], &s.Name)
	r.text(m["kind"], (*string)(&s.Kind))
	r.text(m["type"], (*string)(&s.Type))
	r.idle(m, s, def.Mode)
	if group != "" && m["group"].node != nil {
		r.fault(m["group"].atKey(), "the step is listed in a group", "leave it out")
	} else {
		r.text(m["group"], &s.Group)
	}
	r.text(m["when"], (*string)(&s.When))
	r.projection(m["keep"], true, &s.Keep)
	switch s.Kind {
	case saga.Delay:
		r.duration(m["wait"], &s.Wait)
	case saga.Signal:
		s.OnTimeout = saga.TimeoutRefuses
		r.duration(m["wait"], &s.Wait)
		r.text(m["on_timeout"], (*string)(&s.OnTimeout))
	default:
		r.command(m, &s, def.Mode)
		if m["destination"].node == nil {
			r.places.told[v.flat+".destination"] = true // it is the name, of which all is said
		}
	}
	def.Steps = append(def.Steps, s)
}

// command reads what only a command has.
func (r *reader) command(m map[string]value, s *saga.StepDefinition, mode saga.Mode) {
	if r.transport(m, s); s.URL == "" {
		s.Destination = s.Name
	}
	r.text(m["destination"], &s.Destination)
	r.projection(m["send"], false, &s.Send)
	s.Request = r.policy(m["request"], DefaultRequest)
	// A step that can never be cancelled has no rules for it, and so with confirming.
	if s.Type == saga.Compensatable {
		s.Cancel = r.policy(m["cancel"], DefaultCancel)
	}
	if mode == saga.TCC {
		s.Confirm = r.policy(m["confirm"], DefaultConfirm)
	}
}

// The transports of a step; the broker is the default.
const (
	transportBroker = "broker"
	transportHTTP   = "http"
)

// transport reads how a step is asked.
func (r *reader) transport(m map[string]value, s *saga.StepDefinition) {
	by := transportBroker
	r.text(m["transport"], &by)
	switch {
	case by != transportBroker && by != transportHTTP:
		r.fault(m["transport"], fmt.Sprintf("%q is no transport", by), "use broker or http")
	case by == transportHTTP && m["url"].node == nil:
		r.fault(m["transport"], "a step that is called by HTTP needs its address", "give url")
	case by == transportBroker && m["url"].node != nil:
		r.fault(m["url"].atKey(), "the step goes by the broker", "say transport: http, or leave url out")
	default:
		r.text(m["url"], &s.URL)
	}
}

// idle tells of the keys that would change nothing in a step like this, and takes
// them out: whoever wrote them expects something of them.
func (r *reader) idle(m map[string]value, s saga.StepDefinition, mode saga.Mode) {
	for key, member := range m {
		if reason, remedy := useless(key, s, mode); reason != "" {
			r.fault(member.atKey(), reason, remedy)
			delete(m, key)
		}
	}
}

func useless(key string, s saga.StepDefinition, mode saga.Mode) (reason, remedy string) {
	if s.Kind == saga.Delay || s.Kind == saga.Signal {
		return uselessWithout(key, s.Kind)
	}
	switch {
	case s.Kind == saga.Command && (key == "wait" || key == "on_timeout"):
		return "a command waits for its reply only", "give request.timeout, or make it a delay or a signal"
	case key == "cancel" && (s.Type == saga.Pivot || s.Type == saga.Retriable):
		return "a " + string(s.Type) + " step is never cancelled", "leave it out"
	case key == "confirm" && mode == saga.Sequence:
		return "nothing is confirmed in mode saga", "leave it out, or make the saga one of mode tcc"
	}
	return "", ""
}

// uselessWithout is for steps without a participant.
func uselessWithout(key string, kind saga.StepKind) (reason, remedy string) {
	switch key {
	case "type", "destination", "transport", "url", "request", "confirm", "cancel", "send":
		return "a " + string(kind) + " asks no participant", "leave it out"
	case "keep", "on_timeout":
		if kind == saga.Delay {
			return "a delay ends when its time is over and brings nothing", "leave it out, or make it a signal"
		}
	}
	return "", ""
}
