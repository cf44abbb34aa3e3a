package sim

import (
	"slices"
	"time"

	"go.example/saga/pkg/inbox/blame"
)

// result is what came of a transaction.
type result uint8

const (
	didCommit result = iota
	didFail
	notBegun // it did not begin
	didDie   // with the process
)

// attempt is one transaction.
func (w *inboxWorld) attempt(p *process, cs []*copyOf) result {
	w.now += time.Duration(1+w.below(60)) * time.Millisecond
	if w.strikes(w.swarm.slow, faultLong) {
		w.now += time.Duration(w.below(30)) * time.Second
	}
	if w.unreachable() {
		return notBegun
	}
	work := 0
	for _, c := range cs {
		switch l := c.letter; {
		case l.kind == killerLetter && !w.mended:
			w.tally.Faults[faultKiller]++
			w.kill(p, "of "+l.String())
			return didDie
		case l.kind == unreadableLetter:
		default:
			work++
		}
	}
	for _, c := range cs {
		if w.refused(c.letter) {
			w.tell("process %d: of %d messages %s fails", p.number, len(cs), c.letter)
			return didFail
		}
	}
	if w.strikes(w.swarm.crash, faultDiesBefore) {
		w.kill(p, "before its commit")
		return didDie
	}
	w.commit(p, cs, work)
	if w.strikes(w.swarm.crash, faultDiesAfter) {
		w.kill(p, "after its commit")
		return didDie
	}
	return didCommit
}

// refused says whether the database or the handler fails for the message.
func (w *inboxWorld) refused(l *letter) bool {
	switch l.kind {
	case unreadableLetter:
		return w.fails(ofQuarantine)
	case poisonLetter:
		return !w.mended || w.fails(l.table)
	case goodLetter, killerLetter:
	}
	return w.fails(l.table)
}

func (w *inboxWorld) commit(p *process, cs []*copyOf, work int) {
	var keys []blame.Key
	for _, c := range cs {
		keys = append(keys, c.letter.key)
		delete(p.failing, c.letter)
		if c.letter.kind == unreadableLetter {
			w.setAside(c.letter, ownRow)
			continue
		}
		c.letter.done = true
	}
	if work == 0 {
		p.state.Forget(keys...)
		return
	}
	if p.state.Open() {
		w.tell("process %d: the circuit is closed", p.number)
		w.tally.Faults[faultClosed]++
	}
	p.commits++
	p.streaks++
	p.state.Committed(keys...)
}

// judged has the rule decide about a failure.
func (w *inboxWorld) judged(p *process, cs []*copyOf, r result) blame.Verdict {
	now, open := w.clock(), p.state.Open()
	var v blame.Verdict
	switch l := cs[0].letter; {
	case r == notBegun:
		v = p.state.Unreached(now)
	case len(cs) > 1:
		v = p.state.FailedTogether()
	case l.rows[ownRow].state != noRow && !w.fails(ofQuarantine):
		v = p.state.FailedAgain(l.key, now)
	default:
		w.sawFailing(p, l)
		v = p.state.FailedAlone(l.key, now)
	}
	if !open && p.state.Open() {
		w.tell("process %d: the circuit is open", p.number)
		w.tally.Faults[faultOpened]++
	}
	return v
}

func (w *inboxWorld) sawFailing(p *process, l *letter) {
	f := p.failing[l]
	if f == nil {
		p.failing[l] = &failing{since: w.now, commits: p.commits, streak: p.streaks}
		return
	}
	if p.commits > f.commits {
		f.gaps++
	}
	f.commits, f.streak = p.commits, p.streaks
}

// acknowledge removes what is settled from the queue.
func (w *inboxWorld) acknowledge(p *process, cs ...*copyOf) {
	for _, c := range cs {
		w.checkAcknowledged(p, c.letter)
		i := slices.Index(p.window, c)
		p.window = slices.Delete(p.window, i, i+1)
		w.leave(c)
	}
}

// leave takes the copy out of the queue.
func (w *inboxWorld) leave(c *copyOf) {
	i := slices.Index(w.queue, c)
	w.queue = slices.Delete(w.queue, i, i+1)
	c.letter.copies--
	w.checkPlace(c.letter)
}

// Who has set a message aside: its consumer, or the one of dead letters.
const (
	ownRow = iota
	deadLetterRow
	rowOwners
)

type rowState uint8

const (
	noRow rowState = iota
	rowHeld
	rowDead
	rowRetried
)

// letterRow is one of inbox_quarantine.
type letterRow struct {
	state rowState
	tries int
	first time.Duration
	due   time.Duration
}

// setAside writes the row of a message.
func (w *inboxWorld) setAside(l *letter, owner int) {
	r := &l.rows[owner]
	if r.state == noRow {
		r.first = w.now
	}
	w.tally.Faults[faultAside]++
	w.hold(l, owner)
}

// hold gives a row its next try.
func (w *inboxWorld) hold(l *letter, owner int) {
	r := &l.rows[owner]
	v := blame.Plan(l.kind == unreadableLetter && owner == ownRow, r.tries, w.now-r.first)
	r.state, r.due = rowHeld, w.now+v.Pause
	if !slices.Contains(w.aside, l) {
		w.aside = append(w.aside, l)
	}
	if v.Dead {
		w.tell("%s is dead", l)
		r.state = rowDead
		w.checkGivenUp(l)
	}
}

// putBack puts those back whose next try has come, as the consumers do beside their work.
func (w *inboxWorld) putBack(p *process) {
	w.aside = slices.DeleteFunc(w.aside, func(l *letter) bool { return !l.in(rowHeld) })
	for _, l := range w.aside {
		for owner := range l.rows {
			r := &l.rows[owner]
			if r.state != rowHeld || r.due > w.now || w.fails(ofQuarantine) || w.unreachable() {
				continue
			}
			if w.strikes(w.swarm.refusing, faultPutBackRefused) {
				r.tries++
				w.hold(l, owner)
				continue
			}
			w.tell("%s is put back", l)
			w.publish(l)
			if w.strikes(w.swarm.crash, faultDiesBetween) {
				w.kill(p, "before it marks the row")
				return
			}
			r.state = rowRetried
			r.tries++
		}
	}
}

// retryDead is an operator's word.
func (w *inboxWorld) retryDead() {
	for _, l := range w.letters {
		for owner := range l.rows {
			if r := &l.rows[owner]; r.state == rowDead && l.kind != unreadableLetter {
				r.state = rowRetried
				r.tries++
				w.publish(l)
			}
		}
	}
	for _, p := range w.processes {
		p.next = min(p.next, w.now)
	}
}
