package sim

import "go.example/saga/pkg/saga"

// serve lets a participant carry out what has arrived, in one transaction.
func (w *world) serve(s int, first note) {
	w.notes = w.gather(append(w.notes[:0], first), atParticipant, s)
	barrier, ledger := w.barrier, w.ledger // changed only if it commits
	dies := w.strikes(w.swarm.crash, faultCrashBefore)
	w.replies = w.replies[:0]
	for _, n := range w.notes {
		w.replies = append(w.replies, w.carryOut(n))
	}
	d := w.newDraft(s)
	for _, r := range w.replies {
		w.write(&d, message{note: r, aggregate: r.saga})
	}
	w.chatter(&d)
	if dies {
		w.tell("participant %d dies before its commit", s)
		w.rollBack(&d)
		w.barrier, w.ledger = barrier, ledger
		w.repeat()
		return
	}
	for _, n := range w.notes {
		w.checkEffect(n)
	}
	for _, r := range w.replies {
		w.lie(&d, r)
	}
	w.commitDraft(&d)
	if w.strikes(w.swarm.crash, faultCrashAfter) {
		w.tell("participant %d dies after its commit, before it acknowledges", s)
		w.repeat()
	}
}

// lie contradicts the answer to a REQUEST. What becomes of the step is nobody's
// promise then; the saga still has to be orderly, and to end.
func (w *world) lie(d *draft, r note) {
	if r.op != request || r.outcome == saga.OutcomeRetry || !w.strikes(w.swarm.lying, faultLie) {
		return
	}
	w.facts[r.saga][r.step].waived = true
	if r.outcome == saga.OutcomeSucceeded {
		r.outcome, r.number = saga.OutcomeFailed, 0
	} else {
		r.outcome = saga.OutcomeSucceeded
	}
	w.write(d, message{note: r, aggregate: r.saga})
}

// repeat delivers once more what the participant's transaction was about.
func (w *world) repeat() {
	for _, n := range w.notes {
		w.deliver(n)
	}
}

// carryOut does one command behind the barrier.
func (w *world) carryOut(n note) (reply note) {
	e := &w.barrier[n.saga][n.step]
	reply = note{kind: aReply, saga: n.saga, step: n.step, op: n.op, attempt: n.attempt}
	if w.swarm.silent {
		reply.attempt = 0
	}
	before := e.state
	run, answer := e.enter(n.op)
	if before == unheardOf && n.op == cancel {
		w.tally.Faults[faultTombstone]++
	}
	if run {
		var number int8
		answer, number = w.work(n)
		e.leave(n.op, answer, number)
	}
	reply.outcome = answer
	if answer == saga.OutcomeSucceeded {
		reply.number = e.number
	}
	w.tellCarriedOut(n, run, answer)
	return reply
}

// work is the participant's own business: what it decides is drawn, what it does is
// counted.
func (w *world) work(n note) (saga.Outcome, int8) {
	if w.strikes(w.swarm.technical, faultTechnical) {
		return saga.OutcomeRetry, 0
	}
	if w.strikes(w.swarm.refusing, faultRefusal) {
		return saga.OutcomeFailed, 0
	}
	w.ledger[n.saga][n.step][n.op]++
	switch n.op {
	case confirm:
		return saga.OutcomeConfirmed, 0
	case cancel:
		return saga.OutcomeCompensated, 0
	case request, operations:
	}
	return saga.OutcomeSucceeded, int8(w.drawn(len(outputs)))
}

// drawn is a number below n, 0 once everything has healed.
func (w *world) drawn(n int) int {
	if w.healed {
		return 0
	}
	return w.below(n)
}
