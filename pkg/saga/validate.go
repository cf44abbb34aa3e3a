package saga

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.example/saga/pkg/jsonmap"
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
	maxMemberBytes = 255

	maxPointerBytes   = 1024
	maxConditionBytes = 4096
)

var (
	namePattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	// servicePattern is what a service can be called; see sagasql.CheckServiceName.
	servicePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)
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
	if d.Mode != Sequence && d.Mode != TCC {
		c.add("mode", fmt.Sprintf("%q is not a mode", d.Mode), "use saga or tcc")
	}
	if d.Deadline != 0 {
		c.duration("deadline", d.Deadline, time.Millisecond)
	}
	if len(d.Steps) == 0 || len(d.Steps) > MaxSteps {
		c.add("steps", fmt.Sprintf("%d steps", len(d.Steps)), fmt.Sprintf("list 1 to %d steps", MaxSteps))
	}
	if err := CheckWebhooks(d.Webhooks); err != nil {
		c.add("webhooks", err.Error(), fmt.Sprintf("list up to %d names of webhooks, each once, as `orchestrator webhook add` takes them", MaxWebhooks))
	}
	seen := map[string]int{}
	for i, s := range d.Steps {
		if first, dup := seen[s.Name]; dup {
			c.add(stepPath(i)+".name", fmt.Sprintf("%q is the name of step %d too", s.Name, first), "give every step its own name")
		}
		seen[s.Name] = i
		c.step(stepPath(i), s, d.Mode)
	}
	c.order(d)
	c.groups(d.Steps)
	c.data(d)
	if len(c) > 0 {
		return &DefinitionError{Problems: c}
	}
	return nil
}

func stepPath(i int) string { return fmt.Sprintf("steps[%d]", i) }

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

func (c *checker) step(path string, s StepDefinition, mode Mode) {
	c.name(path+".name", s.Name)
	switch s.Kind {
	case Command:
		c.command(path, s, mode)
	case Delay, Signal:
		c.local(path, s)
	default:
		c.add(path+".kind", fmt.Sprintf("%q is not a kind of step", s.Kind), "use command, delay or signal")
	}
}

func (c *checker) command(path string, s StepDefinition, mode Mode) {
	switch {
	case s.URL != "" && s.Destination != "":
		c.add(path+".destination", "a step with a url goes to no service", "leave destination or url out")
	case s.URL != "":
		c.url(path+".url", s.URL)
	case !servicePattern.MatchString(s.Destination):
		c.add(path+".destination", fmt.Sprintf("%q is no name of a service", s.Destination),
			"name the participant's service: 1 to 100 letters, digits, _ and -, the first one a letter or a digit")
	}
	switch s.Type {
	case Compensatable, Pivot, Retriable:
	default:
		c.add(path+".type", fmt.Sprintf("%q is not a type of step", s.Type), "use compensatable, pivot or retriable")
	}
	if s.Wait != 0 {
		c.add(path+".wait", "a command has no wait of its own", "give request.timeout, or make it a delay")
	}
	if s.OnTimeout != "" {
		c.add(path+".on_timeout", "a command is sent again when its time is over", "leave on_timeout out, or make it a signal")
	}
	c.policy(path+".request", s.Request)
	// Only a compensatable step is ever cancelled, and only a reservation confirmed.
	if s.Type == Compensatable {
		c.policy(path+".cancel", s.Cancel)
	}
	if mode == TCC {
		c.policy(path+".confirm", s.Confirm)
	}
}

// MaxWebhooks is how many webhooks a definition or a start names at most.
const MaxWebhooks = 10

// CheckWebhooks says what is wrong with a list of names of webhooks.
func CheckWebhooks(names []string) error {
	if len(names) > MaxWebhooks {
		return fmt.Errorf("%d webhooks are listed, at most %d are allowed", len(names), MaxWebhooks)
	}
	for i, name := range names {
		switch {
		case !servicePattern.MatchString(name):
			return fmt.Errorf("%q is no name of a webhook", name)
		case slices.Contains(names[:i], name):
			return fmt.Errorf("the webhook %q is listed twice", name)
		}
	}
	return nil
}

// MaxURL is the longest URL of a step in bytes: what a routing key holds.
const MaxURL = 255

// url checks where a step is called. Who may be called is the relay's to say.
func (c *checker) url(path, text string) {
	target, err := url.Parse(text)
	switch {
	case err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Hostname() == "" || target.Opaque != "":
		c.add(path, "is no address of HTTP", "write http://host/path or https://host/path")
	case target.User != nil:
		c.add(path, "has a user or a password, which everybody could read here", "leave them out")
	case target.Fragment != "" || strings.Contains(text, "#"):
		c.add(path, "has a fragment, which is never sent", "leave out what follows the #")
	case len(text) > MaxURL:
		c.add(path, fmt.Sprintf("has %d bytes", len(text)), fmt.Sprintf("use at most %d", MaxURL))
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		c.add(path, "has a character that no URL has", "write it percent-encoded")
	}
}

// local checks a step that takes place in the orchestrator alone.
func (c *checker) local(path string, s StepDefinition) {
	c.duration(path+".wait", s.Wait, time.Millisecond)
	if s.Destination != "" {
		c.add(path+".destination", "a "+string(s.Kind)+" asks no participant", "leave destination out")
	}
	if s.URL != "" {
		c.add(path+".url", "a "+string(s.Kind)+" asks no participant", "leave url out")
	}
	if s.Send != nil {
		c.add(path+".send", "a "+string(s.Kind)+" asks no participant", "leave send out")
	}
	if s.Kind == Delay && s.Keep != nil {
		c.add(path+".keep", "a delay brings nothing", "leave keep out, or make it a signal")
	}
	switch {
	case s.Kind == Delay && s.OnTimeout != "":
		c.add(path+".on_timeout", "a delay ends when its time is over", "leave on_timeout out, or make it a signal")
	case s.Kind == Delay:
	case s.OnTimeout != TimeoutRefuses && s.OnTimeout != TimeoutProceeds && s.OnTimeout != TimeoutParks:
		c.add(path+".on_timeout", fmt.Sprintf("%q is no way to go on", s.OnTimeout), "use refuse, proceed or park")
	}
}

func (c *checker) policy(path string, p Policy) {
	c.duration(path+".timeout", p.Timeout, time.Millisecond)
	c.duration(path+".retry_for", p.RetryFor, time.Millisecond)
	c.duration(path+".retry.initial", p.Retry.Initial, time.Millisecond)
	c.duration(path+".retry.max", p.Retry.Max, max(p.Retry.Initial, time.Millisecond))
	c.between(path+".retry.factor", p.Retry.Factor, 1, MaxFactor)
	c.between(path+".retry.jitter", p.Retry.Jitter, 0, 1)
	c.count(path+".retry.attempts", p.Retry.Attempts, MaxAttempts)
}

// order holds compensatable → at most one pivot → retriable. Without it a saga
// could have to undo what cannot be undone.
func (c *checker) order(d Definition) {
	past := -1 // the pivot or the first retriable step
	for i, s := range d.Steps {
		path := stepPath(i) + ".type"
		switch {
		case s.Kind != Command:
			if past >= 0 && s.Kind == Signal && s.OnTimeout == TimeoutRefuses {
				c.add(stepPath(i)+".on_timeout", fmt.Sprintf("after the %s step %q there is no way back", d.Steps[past].Type, d.Steps[past].Name),
					"use proceed or park, or move it before that step")
			}
		case d.Mode == TCC && s.Type != Compensatable:
			c.add(path, fmt.Sprintf("a %s step in mode tcc", s.Type), "leave type out: what is tried can be cancelled until it is confirmed")
		case past < 0 && s.Type != Compensatable:
			past = i
		case past >= 0 && s.Type == Compensatable:
			c.add(path, fmt.Sprintf("a compensatable step after the %s step %q", d.Steps[past].Type, d.Steps[past].Name),
				"move it before that step, or make it retriable")
		case past >= 0 && s.Type == Pivot:
			c.add(path, fmt.Sprintf("a pivot after the %s step %q", d.Steps[past].Type, d.Steps[past].Name),
				"keep at most one pivot, before the retriable steps")
		}
	}
}

// groups holds that the steps of a group stand together and share one fate: beside
// a pivot or a retriable step nothing may still be undone.
func (c *checker) groups(steps []StepDefinition) {
	last, command := map[string]int{}, map[string]int{}
	for i, s := range steps {
		if s.Group == "" {
			continue
		}
		path := stepPath(i) + ".group"
		c.name(path, s.Group)
		if before, known := last[s.Group]; known && before != i-1 {
			c.add(path, fmt.Sprintf("the group %q was left after step %d", s.Group, before), "put the steps of a group next to one another")
		}
		last[s.Group] = i
		if s.Kind != Command {
			continue
		}
		if before, known := command[s.Group]; known && (s.Type != steps[before].Type || s.Type == Pivot) {
			c.add(path, fmt.Sprintf("a %s step beside a %s one", s.Type, steps[before].Type), "make a group of compensatable or of retriable steps only")
		}
		command[s.Group] = i
	}
}

// data holds that conditions and projections can be evaluated: an output is there
// when an earlier stage has brought it.
func (c *checker) data(d Definition) {
	earlier := map[string]bool{}
	for _, stage := range d.stages() {
		for i := stage[0]; i < stage[1]; i++ {
			s, path := d.Steps[i], stepPath(i)
			c.when(path+".when", s.When, earlier)
			for _, name := range s.Send.names() {
				c.member(path+".send."+name, name)
				c.sent(path+".send."+name, s.Send[name], earlier)
			}
			for _, name := range s.Keep.names() {
				c.member(path+".keep."+name, name)
				c.pointer(path+".keep."+name, s.Keep[name])
			}
		}
		for i := stage[0]; i < stage[1]; i++ {
			earlier[d.Steps[i].Name] = true
		}
	}
}

func (c *checker) when(path string, when Condition, earlier map[string]bool) {
	if len(when) > maxConditionBytes || !jsonmap.Storable(string(when)) {
		c.add(path, "not an expression", fmt.Sprintf("use at most %d bytes of text", maxConditionBytes))
		return
	}
	if err := when.Check(); err != nil {
		c.add(path, firstLine(err.Error()), "write an expression over payload and outputs that is true or false")
	}
	for _, step := range when.Reads() {
		c.produced(path, step, earlier)
	}
}

func (c *checker) member(path, name string) {
	if name == "" || len(name) > maxMemberBytes || !jsonmap.Storable(name) {
		c.add(path, fmt.Sprintf("%q is no name of a member", name), fmt.Sprintf("give 1 to %d bytes of text", maxMemberBytes))
	}
}

func (c *checker) pointer(path, pointer string) (ok bool) {
	ok = strings.HasPrefix(pointer, "/") && len(pointer) <= maxPointerBytes && jsonmap.Storable(pointer)
	if !ok {
		c.add(path, fmt.Sprintf("%q is not a JSON Pointer", pointer), fmt.Sprintf("begin with a slash, use at most %d bytes", maxPointerBytes))
	}
	return ok
}

func (c *checker) sent(path, pointer string, earlier map[string]bool) {
	if !c.pointer(path, pointer) {
		return
	}
	parts := strings.SplitN(pointer, "/", 4)
	switch {
	case parts[1] == "outputs" && len(parts) > 2:
		c.produced(path, parts[2], earlier)
	case parts[1] != "payload" && parts[1] != "outputs":
		c.add(path, fmt.Sprintf("%q leads nowhere", pointer), "begin with /payload or /outputs/<step>")
	}
}

func (c *checker) produced(path, step string, earlier map[string]bool) {
	if !earlier[step] {
		c.add(path, fmt.Sprintf("the output of %q is not there yet", step), "name a step of an earlier stage")
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
