package sim

import (
	"slices"

	"go.example/saga/pkg/saga"
)

// checkTransition holds everything that one committed event must leave so.
func (w *world) checkTransition(a *applied) {
	w.learn(a)
	w.checkRow(a)
	w.checkStanding(a)
	w.checkEvents(a)
	w.checkVerb(a)
	w.checkReply(a)
	w.checkSteps(a)
	for _, e := range a.tr.Effects {
		if c, ok := e.(saga.SendCommand); ok {
			w.checkSent(a, &c)
		}
	}
	w.checkOutcome(a.note.saga)
}

// checkRow holds what is true of any row and its history.
func (w *world) checkRow(a *applied) {
	before, next := &a.before, &a.tr.Next
	if next.Version != before.Version+1 || next.Version != w.rows[a.note.saga].history {
		w.fail(invVersion, "version %d after %d, with %d history entries", next.Version, before.Version, w.rows[a.note.saga].history)
	}
	if before.Status.Terminal() && (next.Status != before.Status || len(a.tr.Effects) > 0 || !slices.Equal(before.Steps, next.Steps)) {
		w.fail(invAfterEnd, "%s, and then %s with %d effects", before.Status, next.Status, len(a.tr.Effects))
	}
	if before.Failure != nil && (next.Failure == nil || *next.Failure != *before.Failure) {
		w.fail(invReason, "%v became %v", before.Failure, next.Failure)
	}
	if next.Failure != nil && before.Failure == nil {
		w.checkGivenUp(a, next.Failure)
	}
}

// checkGivenUp holds that an answer retry uses up no attempt, and silence nothing of the
// time for such answers.
func (w *world) checkGivenUp(a *applied, failure *saga.Failure) {
	if failure.Class != saga.FailureUnknown && failure.Class != saga.FailureUnavailable {
		return
	}
	step := stepOf(failure.Step)
	f, policy := &w.facts[a.note.saga][step], w.def.Steps[step].Request
	if failure.Class == saga.FailureUnknown {
		w.checkWaited(a, step, request, f.sent[request])
	}
	switch silent := f.sent[request] - f.retried[request]; {
	case failure.Class == saga.FailureUnknown && silent < policy.Retry.Attempts:
		w.fail(invUnknown, "step %s was given up after %d attempts", failure.Step, silent)
	case failure.Class == saga.FailureUnavailable && f.paused[request] < policy.RetryFor:
		w.fail(invUnknown, "step %s was given up after it was waited for %v", failure.Step, f.paused[request])
	}
}

// checkStanding holds what is true of a saga that stands still, and of one that does not.
func (w *world) checkStanding(a *applied) {
	before, next := &a.before, &a.tr.Next
	parked := next.Status == saga.StatusParked
	begins := false
	for i := range a.tr.Entry.Sent {
		begins = begins || a.tr.Entry.Sent[i].Attempt == 1
	}
	switch {
	case parked && before.Status != saga.StatusParked && !a.emits(saga.EventParked):
		w.fail(invParked, "no event tells of it")
	case parked != (next.ParkReason() != ""):
		w.fail(invParked, "%s with the reason %q", next.Status, next.ParkReason())
	case before.Paused && next.Paused && len(a.tr.Entry.Sent) > 0:
		w.fail(invPaused, "%d commands while paused", len(a.tr.Entry.Sent))
	case before.Status == saga.StatusParked && parked && begins:
		w.fail(invPaused, "something is begun while a step is parked")
	case !next.Status.Terminal() && !parked && !next.Paused && next.WakeAt().IsZero():
		w.fail(invStuck, "%s and nothing will happen", next.Status)
	}
	for i := range next.Steps {
		if next.Steps[i].Park == saga.ParkContradiction && !w.facts[a.note.saga][i].waived {
			w.fail(invHonest, "step %s is parked: %s", stepNames[i], a.tr.Entry.Detail)
		}
	}
}

// checkReply holds that only what is under way is answered.
func (w *world) checkReply(a *applied) {
	n := a.note
	if n.kind != aReply {
		return
	}
	disposition := a.tr.Entry.Disposition
	switch {
	case disposition == saga.Quarantined:
		w.fail(invHonest, "quarantined: %s", a.tr.Entry.Detail)
	case a.before.Steps[n.step].Operation() == operationNames[n.op]:
	case disposition == saga.Advanced || len(a.tr.Entry.Sent) > 0:
		w.fail(invUnawaited, "an answer to %s %s moved the saga", operationNames[n.op], stepNames[n.step])
	case disposition != saga.Parked && !slices.Equal(a.before.Steps, a.tr.Next.Steps):
		w.fail(invUnawaited, "an answer to %s %s changed a step", operationNames[n.op], stepNames[n.step])
	}
}
