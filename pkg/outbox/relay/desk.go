package relay

import (
	"container/heap"
	"time"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/outboxpg"
)

// entry is a message in work.
type entry struct {
	record *outbox.Record // nil for an empty stretch of the log
	// after is the place in the log behind it; unused for a parked message.
	after outboxpg.Position
	// due is what is known of a parked message; nil for one of the log.
	due *outboxpg.Due
	// parking is how an entry of the log is parked when the position passes it.
	parking *outboxpg.Parking
	// alone: to be sent on a session of its own, because it may end that session.
	alone bool
	// turn is when it came to the desk, and place where it stands among those that are
	// ready, -1 where it does not.
	turn  int64
	place int
	sent  bool
	done  bool // confirmed or parked: the position may pass it
	span  span
}

// lane holds the entries of one aggregate in their order. Only the first of them
// may be with the broker, so that none overtakes one that is refused.
type lane struct {
	queue  []*entry
	flying bool
}

// desk decides what is sent next, and what is written of it: the relay's rules
// without its I/O. It is not safe for concurrent use.
type desk struct {
	limits deskLimits
	policy policy
	random func() float64 // in [0,1)

	turns int64        // entries that came
	last  int64        // the last turn that was sent
	open  fifo[*entry] // entries of the log that the position has not passed, in order
	lanes map[string]*lane
	ready ready // firsts of lanes that nobody has sent
	// blocked are the aggregates whose later messages are to be parked, because an
	// earlier one is.
	blocked map[string]bool
	// unwritten counts, for each aggregate, its parkings that are not saved yet.
	unwritten map[string]int
	parkings  int // the sum of unwritten
	// shelved are the parked messages in work, by id, and those whose parking is not
	// saved yet.
	shelved map[int64]*entry

	bytes    int64 // payloads of entries in work
	inFlight int   // sent and not answered
	flying   int64 // payloads of those
	// exposed are the messages that a crash now would publish again: sent, and the
	// database does not know of it.
	exposed int
	written written
}

// written is what has to be written down of the work done.
type written struct {
	position    outboxpg.Position
	publishedID int64
	passed      int // sent entries of the log that the position passed
	parked      []outboxpg.Parking
	unparked    []*entry
	recovered   []outboxpg.Destination
}

func newDesk(limits deskLimits, policy policy, random func() float64, from outboxpg.Position, blocked []string) *desk {
	d := &desk{
		limits: limits, policy: policy, random: random,
		lanes: map[string]*lane{}, blocked: map[string]bool{},
		unwritten: map[string]int{}, shelved: map[int64]*entry{},
		written: written{position: from},
	}
	for _, key := range blocked {
		d.blocked[key] = true
	}
	return d
}

// admit takes a page of the log.
func (d *desk) admit(page outboxpg.Page) {
	if len(page.Records) == 0 {
		d.admitGap(page.End())
		return
	}
	for i, r := range page.Records {
		e := &entry{record: r, after: page.After(i), place: -1}
		d.open.push(e)
		d.bytes += weight(r)
		switch {
		case !r.DeliverAt.IsZero():
			d.park(e, outboxpg.Parking{State: outboxpg.Scheduled})
		case d.blocked[r.AggregateID]:
			d.park(e, outboxpg.Parking{State: outboxpg.Waiting})
		default:
			d.enqueue(e)
		}
	}
	d.pass()
}

// admitDue takes parked messages whose time has come.
func (d *desk) admitDue(found []outboxpg.Due) {
	for i := range found {
		due := &found[i]
		if d.shelved[due.Record.Position] != nil {
			continue
		}
		e := &entry{record: due.Record, due: due, alone: due.Reason == reasonFatal}
		d.shelved[due.Record.Position] = e
		d.bytes += weight(e.record)
		if due.State == outboxpg.Scheduled && d.blocked[due.Record.AggregateID] {
			d.park(e, outboxpg.Parking{State: outboxpg.Waiting, Attempts: due.Attempts})
			continue
		}
		d.enqueue(e)
	}
}

// admitGap takes a stretch of the log with nothing in it.
func (d *desk) admitGap(end outboxpg.Position) {
	switch last := d.lastOpen(); {
	case last == nil:
		d.written.position = end
	case last.record == nil:
		last.after = end
	default:
		d.open.push(&entry{after: end, place: -1, done: true})
	}
}

func (d *desk) lastOpen() *entry {
	if d.open.len() == 0 {
		return nil
	}
	return d.open.items[len(d.open.items)-1]
}

func (d *desk) enqueue(e *entry) {
	d.turns++
	e.turn, e.place = d.turns, -1
	l := d.lanes[e.record.AggregateID]
	if l == nil {
		l = &lane{}
		d.lanes[e.record.AggregateID] = l
	}
	l.queue = append(l.queue, e)
	if len(l.queue) == 1 {
		heap.Push(&d.ready, e)
	}
}

// next takes the entry to send now; nil when there is none or no room for it. Each
// has to be answered by confirmed or refused.
func (d *desk) next() *entry {
	if len(d.ready) == 0 || d.inFlight >= d.limits.inFlight {
		return nil
	}
	e := d.ready[0]
	if d.crowded() {
		if e = d.awaited(); e == nil {
			return nil
		}
	}
	if size := weight(e.record); d.flying > 0 && d.flying+size > d.limits.bytes {
		return nil
	}
	heap.Remove(&d.ready, e.place)
	d.last = max(d.last, e.turn)
	e.sent = true
	d.lanes[e.record.AggregateID].flying = true
	d.inFlight++
	d.exposed++
	d.flying += weight(e.record)
	return e
}

// withdrawn: the entry was not sent after all, and the desk is about to be left.
func (d *desk) withdrawn(e *entry) {
	d.answered(e)
	d.exposed--
}

func (d *desk) answered(e *entry) {
	d.inFlight--
	d.flying -= weight(e.record)
}

// confirmed: the broker has stored and routed the message.
func (d *desk) confirmed(e *entry) {
	d.answered(e)
	e.done = true
	if e.due != nil {
		d.written.unparked = append(d.written.unparked, e)
		d.unsettled(e)
		if e.due.Attempts > 0 {
			d.written.recovered = append(d.written.recovered,
				outboxpg.Destination{Exchange: e.record.Exchange, RoutingKey: e.record.RoutingKey})
		}
	}
	key := e.record.AggregateID
	l := d.lanes[key]
	l.flying = false
	if l.queue = l.queue[1:]; len(l.queue) == 0 {
		delete(d.lanes, key)
	} else {
		heap.Push(&d.ready, l.queue[0])
	}
	if e.due == nil {
		d.written.publishedID = max(d.written.publishedID, e.record.Position)
	}
	d.pass()
}

// refused: the broker will not have the message. It is parked, and what follows it
// in its aggregate with it.
func (d *desk) refused(e *entry, reason, why string) {
	d.answered(e)
	p := outboxpg.Parking{Reason: reason, Error: why, Attempts: 1}
	if e.due != nil {
		p.Attempts = e.due.Attempts + 1
		d.exposed--
	}
	p.State, p.Delay = d.policy.after(reason, p.Attempts, e.age(), d.random())
	key := e.record.AggregateID
	behind := d.lanes[key].queue[1:]
	delete(d.lanes, key)
	d.blocked[key] = true
	d.park(e, p)
	for _, b := range behind {
		if b.due != nil && b.due.State != outboxpg.Scheduled {
			d.forget(b.record) // it is parked already, and stays
			continue
		}
		d.park(b, outboxpg.Parking{State: outboxpg.Waiting})
	}
	d.pass()
}

// park sets a message aside. One of the log goes with the position that passes it: if it
// were parked ahead of that, a crash would have it read from the log again.
func (d *desk) park(e *entry, p outboxpg.Parking) {
	p.Record = e.record
	e.done = true
	d.shelved[e.record.Position] = e
	d.unsettled(e)
	if e.due == nil {
		e.parking = &p
		return
	}
	d.written.parked = append(d.written.parked, p)
}

// forget: a parked message is not in work any more.
func (d *desk) forget(r *outbox.Record) {
	if d.shelved[r.Position] != nil {
		delete(d.shelved, r.Position)
		d.bytes -= weight(r)
	}
}

func (d *desk) unsettled(e *entry) {
	d.unwritten[e.record.AggregateID]++
	d.parkings++
}

// pass moves the position over what is done.
func (d *desk) pass() {
	for d.open.len() > 0 && d.open.front().done {
		e := d.open.pop()
		d.written.position = e.after
		if e.record == nil {
			continue
		}
		if e.sent {
			d.written.passed++
		}
		if e.parking != nil {
			d.written.parked = append(d.written.parked, *e.parking)
			continue // in work until that is saved
		}
		d.bytes -= weight(e.record)
	}
}

// saved takes over that a part of what was to be written has been, and which of
// its aggregates still have parked messages.
func (d *desk) saved(w written, blocked []string) {
	d.exposed -= w.passed + len(w.unparked)
	touched := map[string]bool{}
	settle := func(r *outbox.Record) {
		key := r.AggregateID
		touched[key] = true
		d.forget(r)
		d.parkings--
		if d.unwritten[key]--; d.unwritten[key] == 0 {
			delete(d.unwritten, key)
		}
	}
	for _, p := range w.parked {
		settle(p.Record)
	}
	for _, e := range w.unparked {
		settle(e.record)
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

// take hands out what there is to write, once.
func (d *desk) take() written {
	w := d.written
	d.written = written{position: w.position, publishedID: w.publishedID}
	return w
}

// oldest is when the oldest message in work was written; zero without one.
func (d *desk) oldest() time.Time {
	if d.open.len() == 0 || d.open.front().record == nil {
		return time.Time{}
	}
	return d.open.front().record.CreatedAt
}

// inWork are the ids of the parked messages in work.
func (d *desk) inWork() []int64 {
	ids := make([]int64, 0, len(d.shelved))
	for id := range d.shelved {
		ids = append(ids, id)
	}
	return ids
}
