package sim

import (
	"time"

	"go.example/saga/pkg/outbox/desk"
)

// service is a process with a database: its outbox and the relay that empties it.
// The first is the orchestrator, the others are participants.
type service struct {
	outbox
	relay relay
}

// relay moves committed messages to the broker. The desk is the real one; what is around
// it does what package relay's stream, ledger and shelf do, one step at a time. Between
// any two steps it may die, and then the next one has what the database says.
type relay struct {
	desk     *desk.Desk[int, position] // nil while it is dead
	starting bool
	life     int // what is planned for an earlier one is void

	read    position // up to where the log has been read
	page    page
	reading bool // a page is on its way
	inHand  bool // it has come, and the desk has no room for it yet
	rung    bool // something was committed since the last look

	unsaved   written // done, and not known to be saved
	toSave    bool    // it will be
	saving    bool    // it is being saved
	committed bool    // the save is, and has not been answered
	save      saved
	heard     []saved // saved, and the desk has not been told

	version int           // of what operators did to the parked messages, when the desk was set up
	lookAt  time.Duration // when to ask for parked messages that are due; 0: not planned
	asking  bool
	again   bool // ask once more
	inWork  []int64
	found   found

	ending    bool // the session is over, and the relay does not know
	reloading bool // to have another desk, for somebody has changed the parked messages
}

type saved struct {
	written written
	blocked []string
}

type found struct {
	due     []due
	version int
	next    time.Duration
	some    bool // there is a next one
}

// turn is a step of a relay.
type turn uint8

const (
	toStart turn = iota
	toRead
	toAdmit
	toHear // an answer of the broker
	toSave
	toCommit
	toSettle
	toTell // the desk of what is saved
	toAsk
	toLook
	toFind
	toEnd // the session
	toSend
	turns
)

var turnNames = [turns]string{
	"start", "read", "admit a page", "hear an answer", "save", "commit the position", "know that it is saved",
	"tell the desk", "ask for what is due", "look for it", "take it", "end the session", "send the next message",
}

// The relay's times, scaled to the sagas'.
var retryPolicy = desk.Policy{First: 2 * time.Millisecond, Longest: 8 * time.Millisecond, RetryFor: 16 * time.Millisecond}

// dueHeads is how many parked messages are fetched at once, without those behind them.
const dueHeads = 2

func half() float64 { return 0.5 }

// quick is how long a step takes.
func (w *world) quick() time.Duration {
	const least = 200 * time.Microsecond
	if w.healed {
		return least
	}
	b := w.below(256)
	d := least + time.Duration(b/64)*400*time.Microsecond
	if b >= 250 {
		d += 8 * time.Millisecond
	}
	return d
}

func (w *world) planTurn(s int, t turn, in time.Duration) {
	w.plan(appointment{at: w.now + in, place: atRelay, service: s, turn: t, round: w.services[s].relay.life})
}

// ring tells the relay that something was committed.
func (w *world) ring(s int) {
	r := &w.services[s].relay
	r.rung = true
	switch {
	case r.desk != nil:
		w.readOn(s)
	case !r.starting:
		r.starting = true
		w.planTurn(s, toStart, w.quick())
	}
}

func (w *world) readOn(s int) {
	if r := &w.services[s].relay; !r.reading && !r.inHand {
		r.reading = true
		w.planTurn(s, toRead, w.quick())
	}
}

// slow says whether what comes next is a step of its own, and plans it.
func (w *world) slow(s int, next turn) bool {
	if w.drawn(4) < 3 {
		return false
	}
	w.planTurn(s, next, w.quick())
	return true
}

// relay takes one step.
func (w *world) relay(a *appointment) {
	s := a.service
	r := &w.services[s].relay
	if a.round != r.life {
		return
	}
	if w.diesBefore(s, a.turn) {
		return
	}
	switch a.turn {
	case toStart:
		w.setUp(s)
	case toRead:
		r.rung = false
		w.services[s].readPage(&r.page, r.read, w.swarm.page)
		if w.slow(s, toAdmit) {
			return
		}
		r.reading, r.inHand = false, true
	case toAdmit:
		r.reading, r.inHand = false, true
	case toHear:
		w.hear(a)
		w.hearMore(s)
	case toSave, toCommit, toSettle, toTell:
		w.keep(s, a.turn)
	case toAsk, toLook, toFind:
		w.shelf(s, a.turn)
	case toEnd:
		w.sessionEnds(s)
		return
	case toSend, turns: // not by appointment
	}
	w.loop(s)
}

// setUp begins from what the database says.
func (w *world) setUp(s int) {
	v := &w.services[s]
	r := &v.relay
	if r.desk == nil {
		r.unsaved = written{Position: v.position}
	}
	r.starting, r.reloading, r.again, r.version, r.heard = false, false, false, v.version, r.heard[:0]
	r.read, r.inHand = r.unsaved.Position, false
	w.tellRelay(s, "begins at %+v", r.read)
	r.desk = desk.New[int](w.swarm.limits, retryPolicy, half, r.read, v.blocked())
	w.readOn(s)
	if v.parked > 0 {
		w.lookSoon(s)
	}
}

// loop is what the owner of the desk does after each step.
func (w *world) loop(s int) {
	r := &w.services[s].relay
	if r.inHand && !r.reloading && r.desk.WantsPage() {
		w.admit(s)
	}
	for !r.reloading || r.desk.Gaps() {
		e := r.desk.Next()
		if e == nil {
			break
		}
		w.publish(s, e)
		if w.diesBefore(s, toSend) {
			return
		}
	}
	r.unsaved.Add(r.desk.Take())
	if r.desk.Full() {
		w.tally.Faults[faultFull]++
	}
	if r.unsaved.Size() > 0 && !r.saving && !r.toSave {
		r.toSave = true
		w.planTurn(s, toSave, 3*w.quick()) // so that it is often for several messages
	}
	if r.reloading && r.desk.InFlight() == 0 && !r.desk.Gaps() && r.unsaved.Size() == 0 && !r.saving && !r.reading && !r.asking {
		w.setUp(s)
	}
}

// admit puts the page on the desk.
func (w *world) admit(s int) {
	v := &w.services[s]
	r := &v.relay
	r.inHand, r.read = false, r.page.end
	for i, id := range r.page.ids {
		r.desk.Admit(w.message(s, id), id, r.page.after(i))
	}
	if len(r.page.ids) == 0 {
		r.desk.AdmitGap(r.page.end)
	}
	// After a page the log is read once more. That there is nothing is known here, so it
	// is tried now and then only.
	if r.rung || r.read.ends > 0 || len(r.page.ids) > 0 && (r.read.settled < v.commits || w.drawn(4) == 3) {
		w.readOn(s)
	}
}

// message is what the desk has to know of a row.
func (w *world) message(s, id int) desk.Message {
	m := w.services[s].row(id)
	return desk.Message{ID: int64(id), Aggregate: aggregateNames[m.aggregate], To: w.destination(m), Size: 1, Scheduled: m.later > w.now}
}

// keep saves what was done.
func (w *world) keep(s int, t turn) {
	r := &w.services[s].relay
	switch t {
	case toSave:
		r.toSave = false
		r.saving, r.committed, r.save.written = true, false, r.unsaved
		if !w.slow(s, toCommit) {
			w.keep(s, toCommit)
		}
	case toCommit:
		if blind := w.strikes(w.swarm.blind, faultBlind); blind {
			if w.below(2) == 1 {
				w.savePosition(s, &r.save.written)
			}
			r.saving = false // it will be repeated
			return
		}
		r.save.blocked, r.committed = w.savePosition(s, &r.save.written), true
		if !w.slow(s, toSettle) {
			w.keep(s, toSettle)
		}
	case toSettle:
		r.saving = false
		r.unsaved.Settle(r.save.written)
		r.heard = append(r.heard, r.save)
		if w.drawn(4) == 3 {
			w.planTurn(s, toTell, w.quick())
			return
		}
		w.tellDesk(s)
	default:
		w.tellDesk(s)
	}
}

// tellDesk tells the desk of what was saved.
func (w *world) tellDesk(s int) {
	r := &w.services[s].relay
	for i := range r.heard {
		h := &r.heard[i]
		r.desk.Saved(h.written, h.blocked)
		if len(h.written.Parked) > 0 || len(h.written.Unparked) > 0 {
			w.lookSoon(s) // the next ones of their aggregates may be due by that
		}
	}
	r.heard = r.heard[:0]
}

// lookSoon has the database asked for parked messages that are due.
func (w *world) lookSoon(s int) { w.lookIn(s, w.quick()) }

func (w *world) lookIn(s int, in time.Duration) {
	r := &w.services[s].relay
	at := w.now + in
	switch {
	case r.desk == nil: // it looks when it starts
	case r.asking:
		r.again = true
	case r.lookAt == 0 || at < r.lookAt:
		r.lookAt = at
		w.planTurn(s, toAsk, in)
	}
}

// shelf brings parked messages back to the desk.
func (w *world) shelf(s int, t turn) {
	v := &w.services[s]
	r := &v.relay
	switch t {
	case toAsk:
		switch {
		case r.lookAt == 0 || w.now < r.lookAt: // it has been looked, or will be
		case r.reloading:
			r.lookAt = 0
		case !r.desk.WantsDue():
			r.lookAt = 0
			w.lookIn(s, 2*time.Millisecond)
		default:
			r.lookAt, r.asking, r.inWork = 0, true, r.desk.InWork()
			if !w.slow(s, toLook) {
				w.shelf(s, toLook)
			}
		}
	case toLook:
		f := &r.found
		f.due, f.version = v.due(f.due[:0], dueHeads, w.now, r.inWork), v.version
		f.next, f.some = v.nextDue(r.inWork)
		w.planTurn(s, toFind, w.quick())
	default:
		w.find(s)
	}
}

func (w *world) find(s int) {
	r := &w.services[s].relay
	r.asking = false
	if r.reloading {
		return
	}
	if r.found.version != r.version {
		w.tally.Faults[faultReload]++
		r.reloading = true
		return
	}
	for _, d := range r.found.due {
		r.desk.AdmitDue(w.message(s, d.Record), d)
	}
	switch {
	case r.again:
		r.again = false
		w.lookSoon(s)
	case r.found.some:
		w.lookIn(s, max(r.found.next-w.now, 500*time.Microsecond))
	}
}

// diesBefore draws whether the relay dies before its next step, and loses everything but
// what the database knows. A save that is on its way may still be committed.
func (w *world) diesBefore(s int, next turn) bool {
	r := &w.services[s].relay
	if next == toStart || !w.strikes(w.swarm.death, faultRelayCrash) {
		return false
	}
	w.tally.Deaths[next]++
	w.tell("the relay of service %d dies: it was to %s", s, turnNames[next])
	if r.saving && !r.committed && w.below(2) == 1 {
		w.savePosition(s, &r.save.written)
	}
	w.lose(s)
	return true
}

// sessionEnds leaves open what became of the messages in flight. What is known is saved
// with the last breath, or is not.
func (w *world) sessionEnds(s int) {
	r := &w.services[s].relay
	w.tell("the session of service %d's relay ends", s)
	if w.drawn(4) < 3 {
		r.unsaved.Add(r.desk.Take())
		w.savePosition(s, &r.unsaved)
	}
	w.lose(s)
}

func (w *world) lose(s int) {
	w.checkRepeated(s)
	r := &w.services[s].relay
	*r = relay{
		life: r.life + 1, starting: true,
		page: page{ids: r.page.ids}, heard: r.heard[:0], found: found{due: r.found.due},
	}
	w.planTurn(s, toStart, w.delay())
}
