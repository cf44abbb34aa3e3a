package saga

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Bounds of a definition. They keep a mistyped number from becoming a saga that
// never times out, and every computed time within int64 nanoseconds.
const (
	MaxSteps       = 100
	MaxWait        = 30 * 24 * time.Hour
	MaxAttempts    = 1000
	MaxFactor      = 100.0
	MaxVersion     = 1<<31 - 1
	maxNameBytes   = 63
	maxQueueBytes  = 255
	maxDestination = 200 // leaves room for the prefix of the queue's name
)

var (
	namePattern        = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	destinationPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
)

// DefinitionError lists everything that is wrong with a definition.
type DefinitionError struct{ Problems []FieldProblem }

// FieldProblem is one fault. Path addresses the field as the YAML form nests it,
// for example "steps[1].request.timeout"; Remedy says what would be right.
type FieldProblem struct{ Path, Reason, Remedy string }

func (e *DefinitionError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return "invalid saga definition: " + strings.Join(lines, "; ")
}

func (p FieldProblem) String() string {
	return fmt.Sprintf("%s: %s: %s", p.Path, p.Reason, p.Remedy)
}

// Validate checks everything that can be known before a saga runs. Its error is
// a [*DefinitionError].
func (d Definition) Validate() error {
	var c checker
	c.name("name", d.Name)
	c.count("version", d.Version, MaxVersion)
	if d.ReplyTo == "" || len(d.ReplyTo) > maxQueueBytes {
		c.add("reply_to", "not the name of a queue", fmt.Sprintf("give 1 to %d bytes", maxQueueBytes))
	}
	if len(d.Steps) == 0 || len(d.Steps) > MaxSteps {
		c.add("steps", fmt.Sprintf("%d steps", len(d.Steps)), fmt.Sprintf("list 1 to %d steps", MaxSteps))
	}
	seen := map[string]int{}
	for i, s := range d.Steps {
		path := fmt.Sprintf("steps[%d]", i)
		if first, dup := seen[s.Name]; dup {
			c.add(path+".name", fmt.Sprintf("%q is the name of step %d too", s.Name, first), "give every step its own name")
		}
		seen[s.Name] = i
		c.step(path, s)
	}
	c.order(d.Steps)
	if len(c) > 0 {
		return &DefinitionError{Problems: c}
	}
	return nil
}

type checker []FieldProblem

func (c *checker) add(path, reason, remedy string) {
	*c = append(*c, FieldProblem{path, reason, remedy})
}

func (c *checker) name(path, name string) {
	if len(name) > maxNameBytes || !namePattern.MatchString(name) {
		c.add(path, fmt.Sprintf("%q is not a name", name),
			fmt.Sprintf("use lower case letters, digits and single hyphens, at most %d bytes", maxNameBytes))
	}
}

func (c *checker) count(path string, v, high int) {
	if v < 1 || v > high {
		c.add(path, fmt.Sprintf("%d is out of bounds", v), fmt.Sprintf("use 1 to %d", high))
	}
}

// between also refuses NaN, which is within no bounds.
func (c *checker) between(path string, v, low, high float64) {
	if !(v >= low && v <= high) {
		c.add(path, fmt.Sprintf("%v is out of bounds", v), fmt.Sprintf("use %v to %v", low, high))
	}
}

func (c *checker) duration(path string, d, low time.Duration) {
	if d < low || d > MaxWait {
		c.add(path, fmt.Sprintf("%v is out of bounds", d), fmt.Sprintf("use %v to %v", low, MaxWait))
	}
}

func (c *checker) step(path string, s StepDefinition) {
	c.name(path+".name", s.Name)
	if len(s.Destination) > maxDestination || !destinationPattern.MatchString(s.Destination) {
		c.add(path+".destination", fmt.Sprintf("%q is not a routing key", s.Destination),
			fmt.Sprintf("use words of letters, digits, _ and - separated by dots, at most %d bytes", maxDestination))
	}
	switch s.Type {
	case Compensatable, Pivot, Retriable:
	default:
		c.add(path+".type", fmt.Sprintf("%q is not a type of step", s.Type), "use compensatable, pivot or retriable")
	}
	c.policy(path+".request", s.Request)
	// Only a compensatable step is ever cancelled.
	if s.Type == Compensatable {
		c.policy(path+".cancel", s.Cancel)
	}
}

func (c *checker) policy(path string, p Policy) {
	c.duration(path+".timeout", p.Timeout, time.Millisecond)
	c.duration(path+".retry.initial", p.Retry.Initial, time.Millisecond)
	c.duration(path+".retry.max", p.Retry.Max, max(p.Retry.Initial, time.Millisecond))
	c.between(path+".retry.factor", p.Retry.Factor, 1, MaxFactor)
	c.between(path+".retry.jitter", p.Retry.Jitter, 0, 1)
	c.count(path+".retry.attempts", p.Retry.Attempts, MaxAttempts)
}

// order holds compensatable → at most one pivot → retriable. Without it a saga
// could have to undo what cannot be undone.
func (c *checker) order(steps []StepDefinition) {
	past := -1 // the pivot or the first retriable step
	for i, s := range steps {
		path := fmt.Sprintf("steps[%d].type", i)
		switch {
		case past < 0 && s.Type != Compensatable:
			past = i
		case past >= 0 && s.Type == Compensatable:
			c.add(path, fmt.Sprintf("a compensatable step after the %s step %q", steps[past].Type, steps[past].Name),
				"move it before that step, or make it retriable")
		case past >= 0 && s.Type == Pivot:
			c.add(path, fmt.Sprintf("a pivot after the %s step %q", steps[past].Type, steps[past].Name),
				"keep at most one pivot, before the retriable steps")
		}
	}
}
