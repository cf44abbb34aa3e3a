package sim

import (
	"slices"
	"time"

	"go.example/saga/pkg/outbox/desk"
)

type (
	written = desk.Written[int, position]
	entry   = desk.Entry[int, position]
	due     = desk.Due[int]
)

// savePosition is the transaction that writes down how far the relay came. It returns
// which of the aggregates it touched still have messages that others wait for.
func (w *world) savePosition(s int, progress *written) (blocked []string) {
	o := &w.services[s].outbox
	for i, e := range progress.Parked {
		if slices.Contains(progress.Parked[:i], e) {
			w.failRelay(s, invLost, "message %d is parked twice in one statement, which PostgreSQL refuses", e.Record)
		}
		w.park(o, e.Record, e.Parking())
	}
	for _, e := range progress.Unparked {
		m := o.row(e.Record)
		if !m.stored {
			w.failRelay(s, invLost, "message %d leaves the parked ones and was never published", e.Record)
		}
		if m.park != "" {
			m.park = ""
			o.parked--
		}
		m.known, m.knownAt, m.sent = true, w.now, false
	}
	for id := 1; o.parked > 0 && len(progress.Recovered) > 0 && id <= len(o.log); id++ {
		if m := o.row(id); m.park == desk.Retry && slices.Contains(progress.Recovered, w.destination(m)) {
			m.next = min(m.next, w.now)
		}
	}
	for _, key := range progress.Touched() {
		aggregate := int8(slices.Index(aggregateNames[:], key))
		o.promote(aggregate, w.now)
		if o.firstInTheWay(aggregate) > 0 {
			blocked = append(blocked, key)
		}
	}
	w.advance(s, progress.Position)
	w.tellRelay(s, "saves %+v, %d parked, %d no more", progress.Position, len(progress.Parked), len(progress.Unparked))
	return blocked
}

// advance moves the position, which may pass what is published or parked.
func (w *world) advance(s int, to position) {
	o := &w.services[s].outbox
	o.position = to
	for id := o.low + 1; id <= len(o.log); id++ {
		m := o.row(id)
		if m.passed || !to.passes(id, m) {
			continue
		}
		m.passed, m.sent = true, false
		switch {
		case m.park != "":
		case m.stored:
			m.known, m.knownAt = true, w.now
		default:
			w.failRelay(s, invLost, "the position passes message %d, which is neither published nor parked", id)
		}
	}
	for o.low < len(o.log) && (o.log[o.low].passed || o.log[o.low].rolledBack) {
		o.low++
	}
}

// park is park.sql.
func (w *world) park(o *outbox, id int, p desk.Parking[int]) {
	m := o.row(id)
	if m.park == "" {
		o.parked++
	}
	if m.park == "" || m.attempts == 0 {
		m.since = w.now
	}
	m.park, m.reason, m.attempts, m.next = p.State, p.Reason, p.Attempts, 0
	switch p.State {
	case desk.Retry:
		m.next = w.now + p.Delay
	case desk.Scheduled:
		m.next = m.later
	case desk.Dead:
		w.tally.Faults[faultDead]++
	default:
	}
}

// inTheWay says whether later messages of its aggregate wait for it.
func (m *message) inTheWay() bool {
	return m.park == desk.Retry || m.park == desk.Waiting || m.park == desk.Dead
}

// firstInTheWay is what the later messages of an aggregate wait for; 0 when they need not.
func (o *outbox) firstInTheWay(aggregate int8) int {
	for id := 1; o.parked > 0 && id <= len(o.log); id++ {
		if m := o.row(id); m.aggregate == aggregate && m.inTheWay() {
			return id
		}
	}
	return 0
}

// promote is outbox_parked_promote.
func (o *outbox) promote(aggregate int8, now time.Duration) {
	if id := o.firstInTheWay(aggregate); id > 0 && o.row(id).park == desk.Waiting {
		o.row(id).park, o.row(id).next = desk.Retry, now
	}
}

// blocked is blocked.sql.
func (o *outbox) blocked() (keys []string) {
	for aggregate, name := range aggregateNames {
		if o.firstInTheWay(int8(aggregate)) > 0 {
			keys = append(keys, name)
		}
	}
	return keys
}

func (m *message) timed() bool { return m.park == desk.Retry || m.park == desk.Scheduled }

// nextDue is when the next parked message is due that is not in work.
func (o *outbox) nextDue(inWork []int64) (at time.Duration, some bool) {
	for id := 1; o.parked > 0 && id <= len(o.log); id++ {
		m := o.row(id)
		if m.timed() && !slices.Contains(inWork, int64(id)) && (!some || m.next < at) {
			at, some = m.next, true
		}
	}
	return at, some
}

// due is due.sql: the parked messages whose time has come, oldest first, and behind each
// that is tried again those that wait for it.
func (o *outbox) due(found []due, heads int, now time.Duration, inWork []int64) []due {
	for ; o.parked > 0 && heads > 0; heads-- {
		head := 0
		for id := 1; id <= len(o.log); id++ {
			m := o.row(id)
			if m.timed() && m.next <= now && (head == 0 || m.next < o.row(head).next) && !slices.Contains(inWork, int64(id)) &&
				!slices.ContainsFunc(found, func(d due) bool { return d.Record == id }) {
				head = id
			}
		}
		if head == 0 {
			break
		}
		found = append(found, o.asDue(head, now))
		if o.row(head).park == desk.Retry {
			found = o.behind(found, head, now, inWork)
		}
	}
	return found
}

// behind adds the messages that wait for this one and for no other.
func (o *outbox) behind(found []due, head int, now time.Duration, inWork []int64) []due {
	for id, room := head+1, 16; id <= len(o.log) && room > 0; id++ {
		m := o.row(id)
		if m.aggregate != o.row(head).aggregate || !m.inTheWay() {
			continue
		}
		if m.park != desk.Waiting || slices.Contains(inWork, int64(id)) {
			break
		}
		found = append(found, o.asDue(id, now))
		room--
	}
	return found
}

func (o *outbox) asDue(id int, now time.Duration) due {
	m := o.row(id)
	return due{Record: id, State: m.park, Reason: m.reason, Attempts: m.attempts, Age: now - m.since}
}

// changeParked is an operator's `relay parked retry`, and whatever else he says of other
// messages: the relay has to begin anew with those that are parked.
func (w *world) changeParked(s int) {
	o := &w.services[s].outbox
	for id := 1; o.parked > 0 && id <= len(o.log); id++ {
		if m := o.row(id); m.park == desk.Retry || m.park == desk.Dead {
			m.park, m.next, m.since = desk.Retry, w.now, w.now
		}
	}
	o.version++
	w.tell("an operator changes the parked messages of service %d", s)
	w.lookSoon(s)
}

// anyDead says whether a message waits for an operator.
func (o *outbox) anyDead() bool {
	return o.parked > 0 && slices.ContainsFunc(o.log, func(m message) bool { return m.park == desk.Dead })
}
