package run

import (
	"strings"
	"time"

	"go.example/saga/internal/conformance"
)

// Results of a check.
const (
	Holds   = "holds"
	Fails   = "FAILS"
	LeftOut = "left out"
	NotRun  = "not run"
)

// Result is what became of a check.
type Result struct {
	Check    string  `json:"check"`
	Result   string  `json:"result"`
	Demands  string  `json:"demands"`
	Expected string  `json:"expected,omitempty"`
	Came     string  `json:"came,omitempty"`
	Rule     string  `json:"rule"`
	Seconds  float64 `json:"seconds"`
}

// Report is what all checks have shown.
type Report struct {
	Holds  bool     `json:"holds"`
	Checks []Result `json:"checks"`
	// Sagas are those whose rows stay in the participant's barrier.
	Sagas []string `json:"sagas"`
	// Standing are those of them whose REQUEST succeeded and was not taken back.
	Standing []string `json:"standing"`
	// Unreadable counts the messages that break a rule, which the participant has set aside or rejected.
	Unreadable int `json:"unreadable"`
	// Unanswered says that answers are still to come.
	Unanswered bool `json:"unanswered"`
	// Queue is that of the answers, where it was kept for those that are still to come.
	Queue string `json:"queue,omitempty"`
}

// Failed counts the checks that do not hold, with those that could not be made.
func (r Report) Failed() (n int) {
	for _, c := range r.Checks {
		if c.Result == Fails || c.Result == NotRun {
			n++
		}
	}
	return n
}

func result(c conformance.Check, outcome string, v conformance.Verdict, took time.Duration) Result {
	expected := v.Expected
	if expected == "" {
		expected = c.Demands
	}
	return Result{
		Check: c.Name, Result: outcome, Demands: c.Demands, Expected: expected, Came: v.Came, Rule: Place(c.Rule), Seconds: took.Seconds(),
	}
}

// Place is where a heading of docs/protocol.md is found.
func Place(heading string) string {
	anchor := strings.ReplaceAll(strings.ToLower(heading), " ", "-")
	return "docs/protocol.md#" + strings.NewReplacer(":", "", ",", "").Replace(anchor)
}
