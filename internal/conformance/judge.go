package conformance

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
)

// Verdict is what a check has shown.
type Verdict struct {
	Holds bool
	// Expected and Came are of the first command that was not answered as it has to be.
	Expected, Came string
}

// Judge holds what came against what the protocol demands. patience is for how long an
// answer was waited for.
func Judge(sent []*Sent, patience time.Duration) Verdict {
	type decision struct{ saga, step string }
	first := map[decision]Answer{} // of each REQUEST
	answers := 0
	after := ""
	for _, s := range sent {
		if v := s.judge(patience); !v.Holds {
			v.Expected += after
			return v
		}
		after = ""
		if s.Flaw != nil {
			after = ", after " + s.String()
		}
		decided := s.Decided()
		answers += len(decided)
		if s.Operation != saga.Request || s.Flaw != nil {
			continue
		}
		for _, a := range decided {
			k := decision{text(s.Saga), s.Message.Headers["cloudEvents_sagastep"]}
			before, known := first[k]
			if !known {
				first[k] = a
				continue
			}
			if why := differs(before, a, s.Content == Refused); why != "" {
				return Verdict{Expected: fmt.Sprintf("%s: as before, %s", s, say(before)), Came: say(a) + ": " + why}
			}
		}
	}
	return Verdict{Holds: true, Came: fmt.Sprintf("answers as demanded: %d", answers)}
}

// judge looks at one command alone.
func (s *Sent) judge(patience time.Duration) Verdict {
	if s.Flaw != nil {
		for _, a := range s.Answers {
			if a.Outcome != saga.OutcomeFailed && a.Outcome != saga.OutcomeRetry {
				return Verdict{Expected: s.String() + ": not answered as done", Came: say(a)}
			}
		}
		return Verdict{Holds: true}
	}
	expected := fmt.Sprintf("%s: %s", s, outcomes(s.Want))
	decided := s.Decided()
	for _, a := range decided {
		if !s.may(a.Outcome) {
			return Verdict{Expected: expected, Came: say(a)}
		}
	}
	switch {
	case len(s.Answers) == 0 && s.Trouble != "":
		return Verdict{Expected: expected, Came: "no reply: " + s.Trouble}
	case len(s.Answers) == 0:
		return Verdict{Expected: expected, Came: fmt.Sprintf("no answer within %s", patience)}
	case len(decided) == 0:
		return Verdict{Expected: expected, Came: fmt.Sprintf("nothing else within %s than %s", patience, say(s.Answers[len(s.Answers)-1]))}
	case len(s.Answers) < s.Copies:
		return Verdict{Expected: fmt.Sprintf("%s: %d answers, one for each copy", s, s.Copies), Came: fmt.Sprintf("%d within %s", len(s.Answers), patience)}
	}
	return Verdict{Holds: true}
}

// JudgeReplies looks at the form of all answers, and at replies that answer nothing.
func JudgeReplies(sent []*Sent, strays []string) Verdict {
	if len(strays) > 0 {
		return Verdict{Expected: "replies to what was sent", Came: strays[0]}
	}
	type repeated struct {
		message string
		outcome saga.Outcome
	}
	ids := map[repeated]string{}
	n := 0
	for _, s := range sent {
		if s.Flaw != nil {
			continue // whatever is said of what is no command is no reply
		}
		for _, a := range s.Answers {
			n++
			if len(a.Breaks) > 0 {
				return Verdict{Expected: fmt.Sprintf("a reply to %s with headers, body and id as demanded", s), Came: strings.Join(a.Breaks, "; ")}
			}
			k := repeated{s.Message.MessageID, a.Outcome}
			if before, known := ids[k]; known && before != a.ID {
				return Verdict{
					Expected: fmt.Sprintf("%s: the same message_id when the same answer is repeated, %q", s, before), Came: fmt.Sprintf("%q", a.ID),
				}
			}
			ids[k] = a.ID
		}
	}
	return Verdict{Holds: n > 0, Came: fmt.Sprintf("replies as demanded: %d", n)}
}

// differs says in what two answers to one REQUEST do; problems are compared where the
// participant's own refusal is repeated.
func differs(a, b Answer, problem bool) string {
	switch {
	case a.Outcome != b.Outcome:
		return "another outcome"
	case a.Outcome == saga.OutcomeSucceeded && !Equal(a.Body, b.Body):
		return "another output"
	case a.Outcome == saga.OutcomeFailed && problem && !Equal(a.Body, b.Body):
		return "another problem"
	}
	return ""
}

func outcomes(all []saga.Outcome) string {
	words := make([]string, len(all))
	for i, o := range all {
		words[i] = string(o)
	}
	return strings.Join(words, " or ")
}

// say words an answer for people.
func say(a Answer) string {
	outcome := string(a.Outcome)
	if outcome == "" {
		outcome = "a reply without an outcome"
	}
	body, err := a.Body.MarshalJSON()
	if err != nil || a.Body == nil {
		return outcome
	}
	const most = 200
	if len(body) > most {
		body = append([]byte(strings.ToValidUTF8(string(body[:most]), "")), "…"...)
	}
	return outcome + " " + string(body)
}

// Equal compares JSON values: numbers by what they are, however they are written.
func Equal(a, b any) bool {
	switch x := plain(a).(type) {
	case map[string]any:
		y, ok := plain(b).(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for name, value := range x {
			if other, there := y[name]; !there || !Equal(value, other) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !Equal(x[i], y[i]) {
				return false
			}
		}
		return true
	case json.Number:
		y, ok := b.(json.Number)
		return ok && decimal(x.String()) == decimal(y.String())
	default:
		return a == b
	}
}

func plain(v any) any {
	if m, ok := v.(jsonmap.JSONMap); ok {
		return map[string]any(m)
	}
	return v
}

// decimal writes a JSON number in one way: its digits without zeros around them, and the
// power of ten of the last one.
func decimal(text string) string {
	text, negative := strings.CutPrefix(text, "-")
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	power := 0
	if exponent != "" {
		_, _ = fmt.Sscanf(strings.TrimPrefix(exponent, "+"), "%d", &power) // the grammar was checked
	}
	figures := strings.TrimLeft(whole+fraction, "0")
	if figures == "" {
		return "0"
	}
	trimmed := strings.TrimRight(figures, "0")
	power += len(figures) - len(trimmed) - len(fraction)
	sign := ""
	if negative {
		sign = "-"
	}
	return fmt.Sprintf("%s%se%d", sign, trimmed, power)
}
