package saga

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Choreography is what a watcher expects of services that work together without an
// orchestrator: which facts are published, by whom, and until when. Nothing follows it; the
// watcher compares with it what it hears.
type Choreography struct {
	Name    string
	Version int
	// Events are those that come when all goes well. The subject of the first is what people
	// call the whole by. They may come in any order.
	Events []ExpectedEvent
	// Aborts are those that say that it goes back.
	Aborts []AbortingEvent
}

// ExpectedEvent is a fact that a service will publish.
type ExpectedEvent struct {
	Name string // the type of the fact
	From string // the service
	// Within is how long it may take: from the first event that was heard, or from the abort
	// that it undoes.
	Within time.Duration
}

// AbortingEvent says that the whole goes back.
type AbortingEvent struct {
	Name, From string
	// Undone are the facts that say that what others did is undone; where there are none,
	// nothing was done.
	Undone []ExpectedEvent
}

// MaxEvents bounds the events of a choreography, those that undo included.
const MaxEvents = 100

// eventPattern is what a fact can be called: routing keys hold it, so it has no wildcards.
var eventPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

const maxEventBytes = 100

// Validate checks the definition. Its error is a [*DefinitionError].
func (d Choreography) Validate() error {
	var c checker
	c.name("name", d.Name)
	c.count("version", d.Version, MaxVersion)
	count := len(d.Events) + len(d.Aborts)
	for _, a := range d.Aborts {
		count += len(a.Undone)
	}
	if len(d.Events) == 0 || count > MaxEvents {
		c.add("events", fmt.Sprintf("%d events, %d with those of aborts", len(d.Events), count),
			fmt.Sprintf("list what comes when all goes well, at most %d in all", MaxEvents))
	}
	seen := map[[2]string]string{}
	for i, e := range d.Events {
		path := fmt.Sprintf("events[%d]", i)
		c.expected(path, e)
		c.once(seen, path, e.Name, e.From)
	}
	for i, a := range d.Aborts {
		path := fmt.Sprintf("aborts[%d]", i)
		c.event(path, a.Name, a.From)
		c.once(seen, path, a.Name, a.From)
		for j, e := range a.Undone {
			path := fmt.Sprintf("%s.undone[%d]", path, j)
			c.expected(path, e)
			if _, twice := seen[[2]string{e.Name, e.From}]; twice {
				c.add(path+".name", fmt.Sprintf("%q of %s means something else already", e.Name, e.From), "name the event that says that it is undone")
			}
			if slices.ContainsFunc(a.Undone[:j], func(o ExpectedEvent) bool { return o.Name == e.Name && o.From == e.From }) {
				c.add(path+".name", fmt.Sprintf("%q of %s is listed twice", e.Name, e.From), "list it once")
			}
		}
	}
	if len(c) > 0 {
		return &DefinitionError{Problems: c}
	}
	return nil
}

func (c *checker) expected(path string, e ExpectedEvent) {
	c.event(path, e.Name, e.From)
	c.duration(path+".within", e.Within, time.Millisecond)
}

func (c *checker) event(path, name, from string) {
	if len(name) > maxEventBytes || !eventPattern.MatchString(name) {
		c.add(path+".name", fmt.Sprintf("%q is no type of an event", name),
			fmt.Sprintf("use words of letters, digits, _ and - with dots between, at most %d bytes, as room.booked", maxEventBytes))
	}
	if !servicePattern.MatchString(from) {
		c.add(path+".from", fmt.Sprintf("%q is no name of a service", from),
			"name the service that publishes it: 1 to 100 letters, digits, _ and -, the first one a letter or a digit")
	}
}

// once tells of an event that would mean two things.
func (c *checker) once(seen map[[2]string]string, path, name, from string) {
	key := [2]string{name, from}
	if first, twice := seen[key]; twice {
		c.add(path+".name", fmt.Sprintf("%q of %s stands in %s too", name, from, first), "list it once")
		return
	}
	seen[key] = path
}
