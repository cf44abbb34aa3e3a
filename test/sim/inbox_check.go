package sim

import (
	"fmt"
	"slices"
	"time"

	"go.example/saga/pkg/inbox/blame"
)

// String is what a message is called.
func (l *letter) String() string {
	kind := [...]string{"message", "poison", "killer", "unreadable"}[l.kind]
	return fmt.Sprintf("%s %d of table %d", kind, l.number, l.table+1)
}

// checkBlame holds that a message that is set aside alone has failed, and for how long.
func (w *inboxWorld) checkBlame(p *process, l *letter, before bool) {
	if before {
		return
	}
	f, crowd, several := p.failing[l], 0, 0
	for m, other := range p.failing {
		held := slices.ContainsFunc(p.window, func(c *copyOf) bool { return c.letter == m })
		switch {
		case other.proven():
			crowd++
		case held && other.streak == p.streaks:
			several++
		}
	}
	lasted := w.now - f.since
	switch {
	case p.state.Open() && (!f.proven() || crowd < inboxBatch):
		w.fail(invGivenBack, "%s is set aside while the circuit is open", l)
	case lasted < blame.Standard.Alone:
		w.fail(invBlame, "%s is set aside %v after it failed first", l, lasted)
	case lasted < blame.Standard.Quiet && !f.proven():
		w.fail(invBlame, "%s is set aside, and others did not commit between its failures", l)
	case !f.proven() && several >= blame.Standard.Distinct:
		w.fail(invBlame, "%s is set aside, and %d have failed since the last commit", l, several)
	}
}

// checkAcknowledged holds that nothing is while the circuit is open but what is in a row.
func (w *inboxWorld) checkAcknowledged(p *process, l *letter) {
	if p.state.Open() && l.rows[ownRow].state == noRow {
		w.fail(invGivenBack, "%s is acknowledged while the circuit is open", l)
	}
}

// checkPlace holds that the message is somewhere.
func (w *inboxWorld) checkPlace(l *letter) {
	if l.done || l.copies > 0 {
		return
	}
	for i := range l.rows {
		if s := l.rows[i].state; s == rowHeld || s == rowDead {
			return
		}
	}
	w.fail(invSomewhere, "%s is in no queue and in no row", l)
}

// checkGivenUp holds that no good message is dead.
func (w *inboxWorld) checkGivenUp(l *letter) {
	if l.kind == goodLetter {
		w.fail(invInnocent, "%s is dead", l)
	}
}

func (l *letter) in(state rowState) bool {
	for i := range l.rows {
		if l.rows[i].state == state {
			return true
		}
	}
	return false
}

// checkCalm holds that a while after all outages the good messages are done, or wait for
// their next try because they failed in one of them, and that the bad ones are set aside.
// Where one ends the processes, what they know of others is lost.
func (w *inboxWorld) checkCalm(trouble time.Duration) {
	for _, l := range w.letters {
		switch {
		case w.now-l.arrives < 5*time.Minute:
		case l.kind == goodLetter && !l.done && !l.in(rowHeld):
			w.fail(invStarved, "%s waits in the queue since %v", l, l.arrives)
		case l.kind == poisonLetter && !w.swarm.killer && l.rows == [rowOwners]letterRow{}:
			w.fail(invPoison, "%s is in the queue, long after %v", l, trouble)
		}
	}
}

// checkDead holds that tries end.
func (w *inboxWorld) checkDead() {
	for _, l := range w.letters {
		if l.kind == poisonLetter && !l.in(rowDead) {
			w.fail(invPoison, "%s is tried for longer than a day", l)
		}
	}
	w.tally.Faults[faultDay]++
}

// checkInboxEnd holds that in the end everything is done, once its cause is mended.
func (w *inboxWorld) checkInboxEnd() {
	for _, l := range w.letters {
		switch {
		case l.copies > 0:
			w.fail(invProgress, "%s is in the queue", l)
		case l.kind == unreadableLetter && (l.rows[ownRow].state != rowDead || l.done):
			w.fail(invPoison, "%s is not dead", l)
		case l.kind == unreadableLetter:
		case !l.done || l.in(rowHeld) || l.in(rowDead):
			w.fail(invProgress, "%s is not done, or still in a row", l)
		case l.kind != goodLetter && l.rows[ownRow].tries > 0:
			w.tally.Faults[faultMended]++
		}
	}
}

// fail records the first violation, which ends the schedule.
func (w *inboxWorld) fail(i Invariant, format string, args ...any) {
	if w.broken == nil {
		w.broken = &Violation{Invariant: i, Detail: fmt.Sprintf(format, args...), relay: -1}
		w.tell("BROKEN: %s: %s", i, w.broken.Detail)
	}
}

// inboxFault is a kind of disturbance, or what came of one.
type inboxFault uint8

const (
	faultOutage inboxFault = iota
	faultUnreachable
	faultKiller
	faultDiesBefore
	faultDiesAfter
	faultDiesBetween
	faultSession
	faultLong
	faultPutBackRefused
	faultHeldLong
	faultDeadLetter
	faultOpened
	faultClosed
	faultIdle
	faultAside
	faultDay
	faultMended
	inboxFaults
)

var inboxFaultNames = [inboxFaults]string{
	"failed table", "unreachable database", "death of a message", "death before a commit", "death after a commit",
	"death between putting back and marking", "lost session", "long transaction", "refused return", "message held for long", "dead letter",
	"opened circuit", "circuit closed by a commit", "circuit closed for want of messages", "message set aside", "tries that ended after a day",
	"mended message",
}

// InboxTally counts what came about.
type InboxTally struct {
	Schedules int
	Faults    [inboxFaults]int
}

// Missing names what never came about.
func (t *InboxTally) Missing() (names []string) {
	for f, n := range t.Faults {
		if n == 0 {
			names = append(names, inboxFaultNames[f])
		}
	}
	return names
}

// String is one line.
func (t *InboxTally) String() string {
	s := ""
	for f, n := range t.Faults {
		s += fmt.Sprintf(", %s %d", inboxFaultNames[f], n)
	}
	return s[len(", "):]
}

func (t *InboxTally) add(o *InboxTally) {
	t.Schedules += o.Schedules
	for f, n := range o.Faults {
		t.Faults[f] += n
	}
}
