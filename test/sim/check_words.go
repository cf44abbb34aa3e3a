package sim

import "go.example/saga/pkg/saga"

// ends are the events that tell of an end.
var ends = map[saga.Status]saga.EventKind{
	saga.StatusCompleted: saga.EventCompleted, saga.StatusAborted: saga.EventAborted, saga.StatusKilled: saga.EventKilled,
}

// checkEvents holds that a saga tells of its end once, and of no other. An event's
// message id is made of its kind and the version, so that two alike would be one.
func (w *world) checkEvents(a *applied) {
	var told [2]saga.EventKind
	n := 0
	for _, e := range a.tr.Effects {
		event, ok := e.(saga.EmitEvent)
		switch {
		case !ok:
		case n == len(told) || n > 0 && told[0] == event.Kind:
			w.fail(invEvents, "%s is told of twice", event.Kind)
			return
		default:
			told[n] = event.Kind
			n++
		}
	}
	var want saga.EventKind
	if !a.before.Status.Terminal() {
		want = ends[a.tr.Next.Status]
	}
	for _, kind := range told {
		if kind != saga.EventParked && kind != "" && kind != want {
			w.fail(invEvents, "%s is told of, the saga is %s", kind, a.tr.Next.Status)
		}
	}
	if want != "" && told[0] != want && told[1] != want {
		w.fail(invEvents, "nothing is said of %s", want)
	}
}

func (a *applied) emits(kind saga.EventKind) bool {
	for _, e := range a.tr.Effects {
		if event, ok := e.(saga.EmitEvent); ok && event.Kind == kind {
			return true
		}
	}
	return false
}

// checkVerb holds that what an operator was granted has come about.
func (w *world) checkVerb(a *applied) {
	next := &a.tr.Next
	if a.note.kind != aVerb || a.tr.Entry.Disposition != saga.Advanced {
		return
	}
	var holds bool
	switch a.note.verb {
	case saga.Kill:
		holds = next.Status == saga.StatusKilled
	case saga.Abort:
		holds = next.Status == saga.StatusAborting || next.Status == saga.StatusAborted
	case saga.Pause:
		holds = next.Paused
	case saga.Resume:
		holds = !next.Paused
	case saga.RetryNow:
		holds = len(a.tr.Entry.Sent) > 0
	case saga.Skip:
		holds = true
	}
	if !holds {
		w.fail(invVerb, "after %s the saga is %s", a.note.verb, next.Status)
	}
}
