package sim

import (
	"time"

	"go.example/saga/pkg/outbox/desk"
)

// aggregates are the sagas, and what else a service writes of, which nobody waits for.
const aggregates = maxSagas + 2

var aggregateNames = [aggregates]string{"saga 1", "saga 2", "x", "y"}

// outbox is what a service's database holds of its messages: the log, the relay's
// position in it, and the messages that are parked. It is changed by the same rules as
// in sql/outbox and sql/relay.
type outbox struct {
	log      []message // by id, the first being 1
	commits  int       // so far. A snapshot is their number: it sees all those
	locked   [aggregates]bool
	last     [aggregates]int // id of the last committed one that has a place in the order
	position position
	low      int // rows at the beginning of the log that the position has passed for good
	parked   int
	version  int // of what operators did to the parked ones
}

// message is a row of an outbox.
type message struct {
	note      note
	aggregate int8
	later     time.Duration // when to publish it; 0: at once
	// commit is the number of the transaction's commit; 0 before that. One that was
	// rolled back stays invisible for ever.
	commit     int
	rolledBack bool
	before     int // id of the one before it in its aggregate's order; 0: none, or it has no place

	park     desk.State // empty: it is not parked
	reason   string
	attempts int
	next     time.Duration // when it is due
	since    time.Duration // since when it is tried

	// What has really become of it.
	stored bool // by the broker
	sent   bool // published, and the database does not know what became of it
	passed bool // by the position
	known  bool // by the database to be published

	storedAt, knownAt time.Duration // since when
}

// position is a place in the log as the relay saves it: a window between two
// snapshots, and the rows of it that are done.
type position struct{ settled, ends, last int }

// passes says whether the position is behind the row.
func (p position) passes(id int, m *message) bool {
	return m.commit > 0 && (m.commit <= p.settled || m.commit <= p.ends && id <= p.last)
}

// draft is what a transaction writes into an outbox.
type draft struct {
	service   int
	from, end int // ids of its rows: from, and before end
	locks     [aggregates]bool
}

func (w *world) newDraft(s int) draft {
	end := len(w.services[s].log) + 1
	return draft{service: s, from: end, end: end}
}

// write draws an id for a message of the transaction.
func (w *world) write(d *draft, m message) {
	v := &w.services[d.service]
	v.log = append(v.log, m)
	d.end++
	d.locks[m.aggregate] = true
	v.locked[m.aggregate] = true
}

// chatter writes what the service has to say of other things. Who writes of an aggregate
// waits for the others who do, so that ids rise with commits in each.
func (w *world) chatter(d *draft) {
	for w.strikes(w.swarm.busy, faultChatter) {
		m := message{note: note{kind: aNotice, saga: -1, step: -1}, aggregate: int8(maxSagas + w.below(aggregates-maxSagas))}
		if w.below(8) == 7 {
			m.later = w.now + time.Duration(1+w.below(8))*time.Millisecond
			w.tally.Faults[faultScheduled]++
		}
		if d.locks[m.aggregate] || !w.services[d.service].locked[m.aggregate] {
			w.write(d, m)
		}
	}
}

// commitDraft makes the rows seen, all at once.
func (w *world) commitDraft(d *draft) {
	if d.from == d.end {
		return
	}
	v := &w.services[d.service]
	v.commits++
	for id := d.from; id < d.end; id++ {
		m := v.row(id)
		m.commit = v.commits
		if m.later == 0 {
			m.before, v.last[m.aggregate] = v.last[m.aggregate], id
		}
	}
	w.unlock(d)
	w.ring(d.service)
}

func (w *world) rollBack(d *draft) {
	for id := d.from; id < d.end; id++ {
		w.services[d.service].row(id).rolledBack = true
	}
	w.unlock(d)
}

func (w *world) unlock(d *draft) {
	for aggregate, locked := range d.locks {
		if locked {
			w.services[d.service].locked[aggregate] = false
		}
	}
}

func (o *outbox) row(id int) *message { return &o.log[id-1] }

// page is a run of rows of one window, by id.
type page struct {
	ids        []int
	start, end position
}

// after is the place behind the page's row i.
func (p *page) after(i int) position {
	if i == len(p.ids)-1 {
		return p.end
	}
	return position{settled: p.start.settled, ends: p.start.ends, last: p.ids[i]}
}

// readPage reads the rows behind a place, at most some, by the difference of two
// snapshots: of the window that the place is in, or of one that ends now.
func (o *outbox) readPage(p *page, from position, most int) {
	p.ids, p.start = p.ids[:0], from
	if from.ends == 0 {
		p.start.ends, p.start.last = o.commits, 0
	}
	p.end = position{settled: p.start.ends}
	for id := max(p.start.last, o.low) + 1; id <= len(o.log); id++ {
		switch commit := o.row(id).commit; {
		case commit <= p.start.settled || commit > p.start.ends: // published, or not seen yet
		case len(p.ids) == most:
			p.end = position{settled: p.start.settled, ends: p.start.ends, last: p.ids[most-1]}
			return
		default:
			p.ids = append(p.ids, id)
		}
	}
}
