package saga

import (
	"slices"
	"time"
)

// Watched is what was heard of one course of a [Choreography]. It is a function of which
// events were heard: their order and their copies change nothing but times. It keeps the
// plan that held when it was begun.
type Watched struct {
	ID           ID
	Choreography string
	Version      int
	// BusinessKey is the subject of the first event of the plan; empty until that is heard.
	BusinessKey string
	// Status is STARTED, COMPLETED, ABORTING or ABORTED. The last two win: of a course that
	// was complete and of which an abort is heard, somebody has to undo something.
	Status    Status
	Events    []WatchedEvent
	StartedAt time.Time // when the first event was heard
	UpdatedAt time.Time
	// DueAt is when the first of the missing events has to be there; zero when none is
	// missing, and then EndedAt is since when.
	DueAt, EndedAt time.Time
}

// EventRole is what an event means.
type EventRole string

const (
	// RoleExpected events come when all goes well.
	RoleExpected EventRole = "expected"
	// RoleAbort events say that it goes back.
	RoleAbort EventRole = "abort"
	// RoleUndo events say that something is undone.
	RoleUndo EventRole = "undo"
)

// WatchedEvent is an event of the plan and what is known of it.
type WatchedEvent struct {
	Name   string        `json:"name"`
	From   string        `json:"from"`
	Role   EventRole     `json:"role"`
	Of     int           `json:"of,omitempty"` // the place of the abort that it undoes
	Within time.Duration `json:"within,omitempty"`
	// Missing: it has to come and was not heard.
	Missing bool `json:"missing,omitempty"`
	// Due is when it has to be there, once that is known.
	Due time.Time `json:"due,omitzero"`
	// Heard is when it was heard first; zero when it was not.
	Heard time.Time `json:"heard,omitzero"`
}

func (e WatchedEvent) heard() bool { return !e.Heard.IsZero() }

// Watch begins a course of which nothing has been heard yet.
func (d Choreography) Watch(id ID, now time.Time) Watched {
	w := Watched{ID: id, Choreography: d.Name, Version: d.Version, StartedAt: now, UpdatedAt: now}
	for _, e := range d.Events {
		w.Events = append(w.Events, WatchedEvent{Name: e.Name, From: e.From, Role: RoleExpected, Within: e.Within})
	}
	for _, a := range d.Aborts {
		of := len(w.Events)
		w.Events = append(w.Events, WatchedEvent{Name: a.Name, From: a.From, Role: RoleAbort})
		for _, e := range a.Undone {
			w.Events = append(w.Events, WatchedEvent{Name: e.Name, From: e.From, Role: RoleUndo, Of: of, Within: e.Within})
		}
	}
	return w.settled(now)
}

// Hear returns what is known after a fact of that type of that service, whether it is part of
// the plan, and whether it was not heard before. Else it changes nothing. A clock that was set
// back does not set back the course's times.
func (w Watched) Hear(name, from, subject string, now time.Time) (next Watched, expected, news bool) {
	if now.Before(w.UpdatedAt) {
		now = w.UpdatedAt
	}
	w.Events = slices.Clone(w.Events)
	for i := range w.Events {
		e := &w.Events[i]
		if e.Name != name || e.From != from {
			continue
		}
		expected = true
		if e.heard() {
			continue
		}
		e.Heard, news = now, true
		if i == 0 {
			w.BusinessKey = subject
		}
	}
	if news {
		w.UpdatedAt = now
		w = w.settled(now)
	}
	return w, expected, news
}

// settled draws the rest from which events were heard.
func (w Watched) settled(now time.Time) Watched {
	aborted := slices.ContainsFunc(w.Events, func(e WatchedEvent) bool { return e.Role == RoleAbort && e.heard() })
	missing := false
	w.DueAt = time.Time{}
	for i := range w.Events {
		e := &w.Events[i]
		wanted := false
		switch e.Role {
		case RoleExpected:
			e.Due, wanted = w.StartedAt.Add(e.Within), !aborted
		case RoleUndo:
			if abort := w.Events[e.Of]; abort.heard() {
				e.Due, wanted = abort.Heard.Add(e.Within), true
			}
		case RoleAbort:
		}
		e.Missing = wanted && !e.heard()
		if e.Missing && (!missing || e.Due.Before(w.DueAt)) {
			w.DueAt = e.Due
		}
		missing = missing || e.Missing
	}
	switch {
	case aborted && missing:
		w.Status = StatusAborting
	case aborted:
		w.Status = StatusAborted
	case missing:
		w.Status = StatusStarted
	default:
		w.Status = StatusCompleted
	}
	if missing {
		w.EndedAt = time.Time{}
	} else if w.EndedAt.IsZero() {
		w.EndedAt = now
	}
	return w
}
