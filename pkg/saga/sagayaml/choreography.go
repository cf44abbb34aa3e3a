package sagayaml

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"go.example/saga/pkg/saga"
)

// Styles of definitions, as the key style says it. One without is of the first.
const (
	StyleOrchestration = "orchestration"
	StyleChoreography  = "choreography"
)

// DefaultDeadline is how long the events of a choreography may take that says nothing of it.
const DefaultDeadline = time.Minute

// ChoreographyDocument is a choreography that was read, and where its fields stand.
type ChoreographyDocument struct {
	Choreography saga.Choreography
	places       places
}

// Fault is that of [Document].
func (d ChoreographyDocument) Fault(path, reason, remedy string) Fault {
	fault, _ := d.places.locate(saga.FieldProblem{Path: path, Reason: reason, Remedy: remedy})
	return fault
}

// IsChoreography says whether the text says that it is one. Of a text that cannot be read it
// is false.
func IsChoreography(text []byte) bool {
	root, err := tree(bytes.TrimPrefix(text, []byte("\ufeff")))
	if err != nil {
		return false
	}
	var style string
	r := newReader(root)
	r.text(r.mapping(value{node: root, place: placeOf(root)})["style"], &style)
	return style == StyleChoreography
}

// ReadChoreography reads one choreography and validates it. Its error is an [*Error].
//
//	name: room-reservation
//	version: 1
//	style: choreography
//	deadline: 30s                     # for events without a time of their own; the default is 1m
//	events:                           # what comes when all goes well, in any order
//	  - name: reservation.placed      # what the whole is called by is the subject of the first
//	    from: reservation
//	  - name: payment.captured
//	    from: payment
//	    within: 10s                   # of the first event that is heard
//	aborts:                           # what says that it goes back
//	  - name: payment.declined
//	    from: payment
//	    undone:                       # and what says that the others have undone theirs
//	      - name: room.released
//	        from: hotel
//	        within: 10s               # of the abort
func ReadChoreography(text []byte) (ChoreographyDocument, error) {
	root, err := tree(bytes.TrimPrefix(text, []byte("\ufeff")))
	if err != nil {
		return ChoreographyDocument{}, err
	}
	r := newReader(root)
	def := r.choreography(value{node: root, place: placeOf(root)})
	if r.left <= 0 {
		return ChoreographyDocument{}, failed(r.tooMany())
	}
	if faults := r.judged(def.Validate()); len(faults) > 0 {
		return ChoreographyDocument{}, failed(faults...)
	}
	return ChoreographyDocument{Choreography: def, places: r.places}, nil
}

// judged are the faults of the text with those that Validate has found.
func (r *reader) judged(err error) []Fault {
	var invalid *saga.DefinitionError
	if errors.As(err, &invalid) {
		for _, problem := range invalid.Problems {
			if fault, news := r.places.locate(problem); news {
				r.faults = append(r.faults, fault)
			}
		}
	}
	return r.faults
}

func (r *reader) tooMany() Fault {
	return Fault{
		Line: 1, Column: 1, Reason: fmt.Sprintf("its aliases unfold to more than %d values", maxValues),
		Remedy: "write the values out",
	}
}

func (r *reader) choreography(v value) saga.Choreography {
	var def saga.Choreography
	m := r.keys(v, "name", "version", "style", "deadline", "events", "aborts")
	r.text(m["name"], &def.Name)
	r.whole(m["version"], &def.Version)
	var style string
	if r.text(m["style"], &style) && style != StyleChoreography {
		r.fault(m["style"], fmt.Sprintf("%q is not the style of what is watched", style), "use "+StyleChoreography)
	}
	deadline := DefaultDeadline
	r.duration(m["deadline"], &deadline)
	def.Events = r.events(m["events"], deadline)
	for _, a := range r.list(m["aborts"]) {
		r.note(a)
		m := r.keys(a, "name", "from", "undone")
		var abort saga.AbortingEvent
		r.text(m["name"], &abort.Name)
		r.text(m["from"], &abort.From)
		abort.Undone = r.events(m["undone"], deadline)
		def.Aborts = append(def.Aborts, abort)
	}
	return def
}

func (r *reader) events(v value, deadline time.Duration) (events []saga.ExpectedEvent) {
	for _, e := range r.list(v) {
		r.note(e)
		m := r.keys(e, "name", "from", "within")
		event := saga.ExpectedEvent{Within: deadline}
		r.text(m["name"], &event.Name)
		r.text(m["from"], &event.From)
		r.duration(m["within"], &event.Within)
		events = append(events, event)
	}
	return events
}
