package desk

import (
	"cmp"
	"slices"
	"time"
)

// simDatabase is the database as a relay sees it: a log, a position and the parked
// messages, changed by the same rules as in sql/relay, in one thread.
type simDatabase struct {
	fatal   func(format string, args ...any)
	now     int64 // seconds
	log     []*simRow
	rows    map[int64]*simRow
	saved   int // rows of the log before the position
	parked  map[int64]*simParked
	version int // of what operators did
}

// simRow is a row of the log, and what has really become of it.
type simRow struct {
	id        int64
	key       string
	size      int
	deliverAt int64 // 0: at once
	called    bool  // goes by a call
	place     int   // in the log, from 0
	// ordered: it has its place in the order of its aggregate.
	ordered   bool
	discarded bool
	sent      bool // and the database does not know of the outcome
	delivered int
	wanted    int // how often it is to be delivered: once, and once for each replay
}

type simParked struct {
	id       int64
	state    State
	reason   string
	attempts int
	nextAt   int64
	since    int64 // since when it is tried
	accepted bool
}

func (r *simRow) message() Message {
	m := Message{ID: r.id, Aggregate: r.key, To: Destination{RoutingKey: "to " + r.key}, Size: int64(r.size), Called: r.called}
	if r.called {
		m.To.RoutingKey, m.Size = "call of "+r.key, 0
	}
	return m
}

func (p *simParked) blocks() bool {
	return p.state == Retry || p.state == Waiting || p.state == Dead
}

// inTheWay are the parked messages that an aggregate waits for, in order.
func (db *simDatabase) inTheWay(key string) (list []*simParked) {
	for id, p := range db.parked {
		if db.rows[id].key == key && p.blocks() {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *simParked) int { return cmp.Compare(a.id, b.id) })
	return list
}

// blocked is blocked.sql.
func (db *simDatabase) blocked() (keys []string) {
	for id, p := range db.parked {
		if p.blocks() {
			keys = append(keys, db.rows[id].key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// save is the transaction of outboxpg's Tenure.Save; a position is a number of rows of
// the log.
func (db *simDatabase) save(w testWritten) (blocked []string) {
	seen := map[int64]bool{}
	for _, p := range w.Parkings() {
		if seen[p.Record.ID] {
			db.fatal("message %d is parked twice in one statement, which PostgreSQL refuses", p.Record.ID)
		}
		seen[p.Record.ID] = true
		db.park(p)
	}
	for _, e := range w.Unparked {
		if db.rows[e.ID].delivered == 0 {
			db.fatal("message %d leaves outbox_parked and was never published", e.ID)
		}
		db.rows[e.ID].sent = false
		delete(db.parked, e.ID)
	}
	db.recover(w.Recovered)
	for _, key := range w.Touched() {
		db.promote(key)
		if len(db.inTheWay(key)) > 0 {
			blocked = append(blocked, key)
		}
	}
	db.advance(w.Position)
	return blocked
}

// park is park.sql.
func (db *simDatabase) park(p Parking[Message]) {
	id := p.Record.ID
	was := db.parked[id]
	if was != nil && was.state == Discarded {
		return
	}
	now := &simParked{id: id, state: p.State, reason: p.Reason, attempts: p.Attempts, since: db.now, accepted: p.Accepted}
	if was != nil && was.attempts > 0 {
		now.since = was.since
	}
	switch p.State {
	case Retry, Calling:
		now.nextAt = db.now + int64(p.Delay/time.Second)
	case Scheduled:
		now.nextAt = db.rows[id].deliverAt
	default:
	}
	db.parked[id] = now
}

func (db *simDatabase) recover(destinations []Destination) {
	for id, p := range db.parked {
		if (p.state == Retry || p.state == Calling && !p.accepted) && slices.Contains(destinations, db.rows[id].message().To) {
			p.nextAt = min(p.nextAt, db.now)
		}
	}
}

// promote is outbox_parked_promote.
func (db *simDatabase) promote(key string) {
	if list := db.inTheWay(key); len(list) > 0 && list[0].state == Waiting {
		list[0].state, list[0].nextAt = Retry, db.now
	}
}

// advance moves the position, which may pass what is confirmed or parked.
func (db *simDatabase) advance(position int) {
	for _, r := range db.log[db.saved:max(position, db.saved)] {
		if r.delivered == 0 && db.parked[r.id] == nil {
			db.fatal("the position passes message %d, which is neither published nor parked", r.id)
		}
		if p := db.parked[r.id]; p == nil || p.state != Calling { // that one's call may have ended since
			r.sent = false
		}
	}
	if position < db.saved {
		db.fatal("the position goes back from %d to %d", db.saved, position)
	}
	db.saved = position
}

// due is due.sql with small limits.
func (db *simDatabase) due(inWork []int64) (found []Due[Message]) {
	const heads, followers = 3, 2
	var list []*simParked
	for _, p := range db.parked {
		timed := p.state == Retry || p.state == Scheduled || p.state == Calling
		if timed && p.nextAt <= db.now && !slices.Contains(inWork, p.id) {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *simParked) int {
		return cmp.Or(cmp.Compare(a.nextAt, b.nextAt), cmp.Compare(a.id, b.id))
	})
	for _, head := range list[:min(heads, len(list))] {
		found = append(found, db.asDue(head))
		if head.state == Retry {
			for _, p := range db.behind(head, inWork, followers) {
				found = append(found, db.asDue(p))
			}
		}
	}
	return found
}

// behind are the messages that wait for this one and for no other.
func (db *simDatabase) behind(head *simParked, inWork []int64, limit int) (list []*simParked) {
	for _, p := range db.inTheWay(db.rows[head.id].key) {
		if p.id <= head.id {
			continue
		}
		if p.state != Waiting || slices.Contains(inWork, p.id) || len(list) == limit {
			break
		}
		list = append(list, p)
	}
	return list
}

func (db *simDatabase) asDue(p *simParked) Due[Message] {
	accepted := time.Duration(-1)
	if p.accepted {
		accepted = 0
	}
	return Due[Message]{
		Accepted: accepted,
		Record:   db.rows[p.id].message(), State: p.state, Reason: p.reason, Attempts: p.attempts,
		Age: time.Duration(db.now-p.since) * time.Second,
	}
}

// retry, discard and replay are what an operator does.
func (db *simDatabase) retry(id int64) {
	if p := db.parked[id]; p != nil && (p.state == Retry || p.state == Dead || p.state == Calling || p.state == CallDead) {
		p.nextAt, p.since = db.now, db.now
		switch p.state {
		case Dead:
			p.state = Retry
		case CallDead:
			p.state = Calling
		default:
		}
	}
	db.version++
}

func (db *simDatabase) discard(id int64) {
	if p := db.parked[id]; p != nil {
		p.state = Discarded
		db.rows[id].discarded = true
		db.promote(db.rows[id].key)
	}
	db.version++
}

func (db *simDatabase) replay(id int64) {
	r, p := db.rows[id], db.parked[id]
	if passed := r.place < db.saved; passed && !r.sent && (p == nil || p.state == Discarded) {
		db.parked[id] = &simParked{id: id, state: Scheduled, nextAt: db.now, since: db.now}
		r.ordered, r.deliverAt, r.wanted = false, db.now, r.delivered+1
	}
	db.version++
}
