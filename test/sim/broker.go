package sim

import (
	"time"

	"go.example/saga/pkg/outbox/desk"
)

// refusals are why the broker may refuse a message, from 1 on; what can never be
// published is rare.
var refusals = [...]string{"", desk.Unroutable, desk.Nacked, desk.Fatal, desk.Unroutable, desk.Nacked, desk.Unroutable, desk.Nacked, desk.Invalid}

var (
	toOrchestrator = desk.Destination{Exchange: "sagas"}
	toListeners    = desk.Destination{Exchange: "notices"}
	toParticipants = [maxServices]desk.Destination{{}, {Exchange: "commands", RoutingKey: "1"}, {Exchange: "commands", RoutingKey: "2"}}
)

func (w *world) destination(m *message) desk.Destination {
	switch m.note.kind {
	case aCommand:
		return toParticipants[serviceOf(m.note.step)]
	case aReply:
		return toOrchestrator
	default:
		return toListeners
	}
}

// publish hands a message to the broker. It is stored and confirmed, or refused; or
// nobody will know what became of it, because the session ends.
func (w *world) publish(s int, e *entry) {
	v := &w.services[s]
	m := v.row(e.Record)
	w.checkPublished(s, e.Record)
	m.sent = true
	w.tellRelay(s, "publishes %d: %s", e.Record, m.note)
	switch {
	case v.relay.ending:
		if w.drawn(2) == 1 {
			w.arrive(s, e.Record)
		}
	case w.strikes(w.swarm.lost, faultLost):
		w.tell("lost: %s", m.note)
		w.endSession(s)
	case w.strikes(w.swarm.choosy, faultRefused):
		w.answer(s, e, int8(1+w.below(len(refusals)-1)))
	default:
		w.arrive(s, e.Record)
		if w.strikes(w.swarm.twice, faultTwice) {
			w.deliver(m.note)
		}
		if w.strikes(w.swarm.unsure, faultUnsure) {
			w.endSession(s)
			return
		}
		w.answer(s, e, 0)
	}
}

func (w *world) endSession(s int) {
	w.services[s].relay.ending = true
	w.planTurn(s, toEnd, w.delay())
}

// answer comes in its own time; no refusal is a confirm.
func (w *world) answer(s int, e *entry, refusal int8) {
	w.plan(appointment{
		at: w.now + w.quick(), place: atRelay, service: s, turn: toHear, round: w.services[s].relay.life, entry: e, refusal: refusal,
	})
}

// hear takes an answer of the broker.
func (w *world) hear(a *appointment) {
	v := &w.services[a.service]
	if a.refusal == 0 {
		w.tellRelay(a.service, "%d is confirmed", a.entry.Record)
		v.relay.desk.Confirmed(a.entry)
		return
	}
	m := v.row(a.entry.Record)
	reason := refusals[a.refusal]
	w.tell("refused (%s): %s", reason, m.note)
	m.sent = false
	v.relay.desk.Refused(a.entry, reason, "no")
}

// hearMore takes the answers that have come with the first.
func (w *world) hearMore(s int) {
	if !w.strikes(w.swarm.grouped, faultGroup) {
		return
	}
	life, by := w.services[s].relay.life, w.now+2*time.Millisecond
	for range 1 + w.below(3) {
		i := w.nextIndex(func(a *appointment) bool {
			return a.place == atRelay && a.turn == toHear && a.service == s && a.round == life && a.at <= by
		})
		if i < 0 {
			return
		}
		a := w.remove(i)
		w.hear(&a)
	}
}

// arrive: the broker has stored the message.
func (w *world) arrive(s, id int) {
	m := w.services[s].row(id)
	w.checkOrder(s, id)
	if !m.stored {
		m.stored, m.storedAt = true, w.now
	}
	w.deliver(m.note)
}

// deliver lets the message come to who it is for. Nothing keeps two deliveries in order:
// queues have several consumers, and what is delivered again comes out of turn.
func (w *world) deliver(n note) {
	a := appointment{at: w.now + w.delay(), place: atOrchestrator, note: n}
	switch n.kind {
	case aNotice:
		return
	case aCommand:
		a.place, a.service = atParticipant, serviceOf(n.step)
	default:
	}
	w.plan(a)
}
