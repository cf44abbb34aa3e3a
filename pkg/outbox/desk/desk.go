package desk

import (
	"container/heap"
	"time"
)

// lane holds the entries of one aggregate in their order. Only the first of them
// may be with the broker, so that none overtakes one that is refused.
type lane[R, P any] struct{ first, last *Entry[R, P] }

// Desk decides what is sent next, and what is written of it: the relay's rules
// without its I/O. It is not safe for concurrent use.
type Desk[R, P any] struct {
	limits Limits
	policy Policy
	random func() float64 // in [0,1)

	turns int64              // entries that came
	last  int64              // the last turn that was sent
	open  fifo[*Entry[R, P]] // entries of the log that the position has not passed, in order
	lanes map[string]lane[R, P]
	ready ready[R, P] // firsts of lanes that nobody has sent

	// calls are the entries whose calls have not begun, and answers those to publish the
	// answer of; away are all from the beginning of the call until the database knows of its
	// end, by id.
	calls, answers fifo[*Entry[R, P]]
	away           map[int64]*Entry[R, P]
	// ended are those of which the database has heard since [Desk.InWork]: who looked for
	// parked messages meanwhile may have seen them as they were.
	ended map[int64]bool
	// blocked are the aggregates whose later messages are to be parked, because an
	// earlier one is.
	blocked map[string]bool
	// unwritten counts, for each aggregate, its parkings that are not saved yet.
	unwritten map[string]int
	parkings  int // the sum of unwritten
	// shelved are the parked messages in work, by id, and those whose parking is not
	// saved yet.
	shelved map[int64]*Entry[R, P]

	bytes    int64 // payloads of entries in work
	inFlight int   // sent and not answered
	flying   int64 // payloads of those
	// exposed are the messages that a crash now would publish again: sent, and the
	// database does not know of it. Of those that are called there are as many as calls.
	exposed int
	written Written[R, P]
}

// New makes a desk that goes on from a place in the log. blocked are the aggregates
// that have parked messages which their later ones must wait for.
func New[R, P any](limits Limits, policy Policy, random func() float64, from P, blocked []string) *Desk[R, P] {
	d := &Desk[R, P]{
		limits: limits, policy: policy, random: random,
		lanes: map[string]lane[R, P]{}, blocked: map[string]bool{},
		unwritten: map[string]int{}, shelved: map[int64]*Entry[R, P]{}, away: map[int64]*Entry[R, P]{}, ended: map[int64]bool{},
		written: Written[R, P]{Position: from},
	}
	for _, key := range blocked {
		d.blocked[key] = true
	}
	return d
}

// Admit takes the next message of the log; after is the place behind it.
func (d *Desk[R, P]) Admit(m Message, record R, after P) {
	e := &Entry[R, P]{Message: m, Record: record, after: after, place: -1}
	d.open.push(e)
	d.bytes += m.Size
	switch {
	case m.Scheduled:
		d.park(e, Parking[R]{State: Scheduled})
	case m.Called:
		d.calls.push(e)
		return
	case d.blocked[m.Aggregate]:
		d.park(e, Parking[R]{State: Waiting})
	default:
		d.enqueue(e)
		return
	}
	d.pass()
}

// AdmitDue takes a parked message whose time has come. One that is in work already is
// no news.
func (d *Desk[R, P]) AdmitDue(m Message, due Due[R]) {
	if d.shelved[m.ID] != nil || d.away[m.ID] != nil || d.ended[m.ID] {
		return
	}
	e := &Entry[R, P]{Message: m, Record: due.Record, due: &due, place: -1}
	d.shelved[m.ID] = e
	d.bytes += m.Size
	if m.Called {
		d.calls.push(e)
		return
	}
	if due.State == Scheduled && d.blocked[m.Aggregate] {
		d.park(e, Parking[R]{State: Waiting, Attempts: due.Attempts})
		return
	}
	d.enqueue(e)
}

// AdmitGap takes a stretch of the log with nothing in it.
func (d *Desk[R, P]) AdmitGap(end P) {
	switch last := d.lastOpen(); {
	case last == nil:
		d.written.Position = end
	case last.empty:
		last.after = end
	default:
		d.open.push(&Entry[R, P]{empty: true, after: end, place: -1, done: true})
	}
}

func (d *Desk[R, P]) lastOpen() *Entry[R, P] {
	if d.open.len() == 0 {
		return nil
	}
	return d.open.items[len(d.open.items)-1]
}

func (d *Desk[R, P]) enqueue(e *Entry[R, P]) {
	d.turns++
	e.turn, e.place = d.turns, -1
	l := d.lanes[e.Aggregate]
	if l.first == nil {
		l.first = e
		heap.Push(&d.ready, e)
	} else {
		l.last.behind = e
	}
	l.last = e
	d.lanes[e.Aggregate] = l
}

// Next takes the entry to send now; nil when there is none or no room for it. Each
// has to be answered, by [Desk.Confirmed], [Desk.Refused], [Desk.Unanswered] or
// [Desk.Withdrawn].
func (d *Desk[R, P]) Next() *Entry[R, P] {
	if d.inFlight >= d.limits.InFlight {
		return nil
	}
	if d.answers.len() > 0 {
		e := d.answers.pop()
		e.sent = true
		d.inFlight++
		return e
	}
	if len(d.ready) == 0 {
		return nil
	}
	e := d.ready[0]
	if d.crowded() {
		if e = d.awaited(); e == nil {
			return nil
		}
	}
	if d.flying > 0 && d.flying+e.Size > d.limits.Bytes {
		return nil
	}
	heap.Remove(&d.ready, e.place)
	d.last = max(d.last, e.turn)
	e.sent = true
	d.inFlight++
	d.exposed++
	d.flying += e.Size
	return e
}

// Withdrawn says that the entry was not sent after all, and the desk is about to be left.
func (d *Desk[R, P]) Withdrawn(e *Entry[R, P]) {
	d.answered(e)
	if !e.Called {
		d.exposed--
	}
}

// Unanswered says that what became of the entry will not be known to this desk.
func (d *Desk[R, P]) Unanswered(e *Entry[R, P]) { d.answered(e) }

func (d *Desk[R, P]) answered(e *Entry[R, P]) {
	d.inFlight--
	d.flying -= e.Size
}

// Confirmed says that the broker has stored and routed the message.
func (d *Desk[R, P]) Confirmed(e *Entry[R, P]) {
	d.answered(e)
	d.finished(e)
	if e.due != nil {
		if e.due.Attempts > 0 {
			d.written.Recovered = append(d.written.Recovered, e.To)
		}
	}
	switch {
	case e.Called: // has no lane
	case e.behind == nil:
		delete(d.lanes, e.Aggregate)
	default:
		d.lanes[e.Aggregate] = lane[R, P]{e.behind, d.lanes[e.Aggregate].last}
		heap.Push(&d.ready, e.behind)
	}
	if e.due == nil {
		d.written.PublishedID = max(d.written.PublishedID, e.ID)
	}
	d.pass()
}

// finished: nothing more is to be done for the entry but to write that down.
func (d *Desk[R, P]) finished(e *Entry[R, P]) {
	d.undefer(e) // it may have been deferred while its answer waited to be published
	e.done = true
	if e.due == nil && !e.passed {
		delete(d.away, e.ID)
		return
	}
	d.written.Unparked = append(d.written.Unparked, e)
	d.unsettled(e)
}

// Refused says that the broker will not have the message. It is parked, and what follows it
// in its aggregate with it.
func (d *Desk[R, P]) Refused(e *Entry[R, P], reason, why string) {
	d.answered(e)
	if e.Called {
		e.sent = false
		d.Uncalled(e, Uncalled{Reason: reason, Error: why, Failed: true})
		return
	}
	p := Parking[R]{Reason: reason, Error: why, Attempts: 1}
	if e.due != nil {
		p.Attempts = e.due.Attempts + 1
		d.exposed--
	}
	p.State, p.Delay = d.policy.after(reason, p.Attempts, e.age(), d.random())
	key := e.Aggregate
	delete(d.lanes, key)
	d.blocked[key] = true
	d.park(e, p)
	for b := e.behind; b != nil; b = b.behind {
		if b.due != nil && b.due.State != Scheduled {
			d.forget(b) // it is parked already, and stays
			continue
		}
		d.park(b, Parking[R]{State: Waiting})
	}
	d.pass()
}

// park sets a message aside. One of the log goes with the position that passes it: if it
// were parked ahead of that, a crash would have it read from the log again.
func (d *Desk[R, P]) park(e *Entry[R, P], p Parking[R]) {
	p.Record = e.Record
	e.parking, e.done = &p, true
	d.shelved[e.ID] = e
	d.unsettled(e)
	if e.due != nil {
		d.written.Parked = append(d.written.Parked, e)
	}
}

// forget: a parked message is not in work any more.
func (d *Desk[R, P]) forget(e *Entry[R, P]) {
	if d.shelved[e.ID] == e {
		delete(d.shelved, e.ID)
		d.bytes -= e.Size
	}
}

func (d *Desk[R, P]) unsettled(e *Entry[R, P]) {
	d.unwritten[e.Aggregate]++
	d.parkings++
}

// pass moves the position over what is done.
func (d *Desk[R, P]) pass() {
	for d.open.len() > 0 && d.open.front().done {
		e := d.open.pop()
		d.written.Position = e.after
		if e.empty {
			continue
		}
		e.passed = true
		switch {
		case e.sent && e.Called:
			d.written.Called++
		case e.sent:
			d.written.Passed++
		}
		if e.parking != nil {
			d.written.Parked = append(d.written.Parked, e)
			continue // in work until that is saved
		}
		d.bytes -= e.Size
	}
}

// Saved takes over that a part of what was to be written has been, and which of
// its aggregates still have parked messages that others must wait for.
func (d *Desk[R, P]) Saved(w Written[R, P], blocked []string) {
	d.exposed -= w.Passed
	if len(w.Parked)+len(w.Unparked) == 0 {
		return
	}
	touched := map[string]bool{}
	for _, e := range w.Unparked {
		if !e.Called {
			d.exposed--
		}
		delete(d.away, e.ID)
	}
	for _, list := range [][]*Entry[R, P]{w.Parked, w.Unparked} {
		for _, e := range list {
			touched[e.Aggregate] = true
			d.forget(e)
			if e.Called {
				d.ended[e.ID] = true
			}
			d.parkings--
			if d.unwritten[e.Aggregate]--; d.unwritten[e.Aggregate] == 0 {
				delete(d.unwritten, e.Aggregate)
			}
		}
	}
	for _, key := range blocked {
		delete(touched, key)
	}
	for key := range touched {
		if d.unwritten[key] == 0 {
			delete(d.blocked, key)
		}
	}
}

// Take hands out what there is to write, once.
func (d *Desk[R, P]) Take() Written[R, P] {
	w := d.written
	d.written = Written[R, P]{Position: w.Position, PublishedID: w.PublishedID}
	return w
}

// Oldest is when the oldest message in work was written; zero without one.
func (d *Desk[R, P]) Oldest() time.Time {
	if d.open.len() == 0 || d.open.front().empty {
		return time.Time{}
	}
	return d.open.front().CreatedAt
}

// InWork are the ids of the parked messages in work. What is due besides is to be looked
// for after this was called, and admitted before it is called again.
func (d *Desk[R, P]) InWork() []int64 {
	clear(d.ended)
	ids := make([]int64, 0, len(d.shelved)+len(d.away))
	for _, work := range []map[int64]*Entry[R, P]{d.shelved, d.away} {
		for id := range work {
			ids = append(ids, id)
		}
	}
	return ids
}

// InFlight is the number of messages that are sent and not answered.
func (d *Desk[R, P]) InFlight() int { return d.inFlight }

// Open is the number of messages of the log that the position has not passed.
func (d *Desk[R, P]) Open() int { return d.open.len() }

// PublishedID is the highest row of the log that was confirmed; 0 before the first.
func (d *Desk[R, P]) PublishedID() int64 { return d.written.PublishedID }
