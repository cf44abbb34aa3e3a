package sim

// service is a process with a database: its outbox and the relay that empties it.
// The first is the orchestrator, the others are participants.
type service struct {
	outbox  []message
	pos     int  // all before are published
	planned bool // the relay will look
}

// message is a row of an outbox.
type message struct {
	note      note
	confirmed bool // remembered by the relay alone: a crash forgets it
}

// append adds a message to the service's outbox, in the transaction that it is of.
func (w *world) append(s int, n note) {
	w.services[s].outbox = append(w.services[s].outbox, message{note: n})
	w.lookSoon(s)
}

func (w *world) lookSoon(s int) {
	if !w.services[s].planned {
		w.services[s].planned = true
		w.plan(appointment{at: w.now + w.delay(), place: atRelay, service: s})
	}
}

// relay publishes what is in the outbox, in order. A saga's next message waits until
// the one before it is confirmed; other sagas' go on. The position is saved last: a
// crash before that publishes the window again.
func (w *world) relay(s int) {
	v := &w.services[s]
	v.planned = false
	dies := w.strikes(w.swarm.crash, faultRelayCrash)
	var held [maxSagas]bool
	for i := v.pos; i < len(v.outbox); i++ {
		m := &v.outbox[i]
		if dies && w.below(2) == 1 {
			break
		}
		if !m.confirmed && !held[m.note.saga] {
			m.confirmed = w.publish(m.note)
			held[m.note.saga] = !m.confirmed
		}
	}
	if dies {
		w.tell("the relay of service %d dies in its window", s)
		for i := v.pos; i < len(v.outbox); i++ {
			v.outbox[i].confirmed = false
		}
	}
	for v.pos < len(v.outbox) && v.outbox[v.pos].confirmed {
		v.pos++
	}
	if v.pos < len(v.outbox) {
		w.lookSoon(s)
	}
}

// publish hands a message to the broker and says whether it was confirmed.
func (w *world) publish(n note) (confirmed bool) {
	if w.strikes(w.swarm.lost, faultLost) {
		w.tell("lost: %s", n)
		return false
	}
	w.deliver(n)
	if w.strikes(w.swarm.twice, faultTwice) {
		w.deliver(n)
	}
	return !w.strikes(w.swarm.unsure, faultUnsure)
}

// deliver lets the message arrive. Nothing keeps two deliveries in order: queues
// have several consumers, and what is delivered again comes out of turn.
func (w *world) deliver(n note) {
	a := appointment{at: w.now + w.delay(), place: atOrchestrator, note: n}
	if n.kind == aCommand {
		a.place, a.service = atParticipant, w.where[n.step]
	}
	w.plan(a)
}
