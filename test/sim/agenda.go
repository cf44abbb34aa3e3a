package sim

import "time"

// place is where something happens.
type place uint8

const (
	atOrchestrator place = iota // the note arrives
	atParticipant
	atRelay
	atStart  // of a saga
	atTimer  // of a saga
	atCommit // of a transaction that was slow
	atOperator
)

// appointment is something that will happen.
type appointment struct {
	at      time.Duration
	place   place
	turn    turn
	refusal int8 // why the broker refuses the entry; 0: it is confirmed
	service int  // of a participant or relay
	round   int  // of a timer or a relay: those of earlier rounds are no longer meant
	note    note
	tx      *tx
	entry   *entry // that the broker answers
}

// agenda is what will happen. It is short, so that a scan beats a heap, for which the
// times stand by themselves.
type agenda []planned

type planned struct {
	at   time.Duration
	seq  int
	what *appointment
}

// plan adds an appointment; of two at the same time the first one planned is first.
func (w *world) plan(a appointment) {
	var what *appointment
	if n := len(w.blank); n > 0 {
		what, w.blank = w.blank[n-1], w.blank[:n-1]
	} else {
		what = new(appointment)
	}
	*what = a
	w.seq++
	w.agenda = append(w.agenda, planned{a.at, w.seq, what})
}

// next takes the earliest appointment that fits, nil when there is none; -1 is any
// place and service.
func (w *world) nextIndex(fits func(*appointment) bool) int {
	best := -1
	for i := range w.agenda {
		a := &w.agenda[i]
		if fits != nil && !fits(a.what) {
			continue
		}
		if best < 0 || a.at < w.agenda[best].at || a.at == w.agenda[best].at && a.seq < w.agenda[best].seq {
			best = i
		}
	}
	return best
}

func (w *world) remove(i int) appointment {
	what := w.agenda[i].what
	last := len(w.agenda) - 1
	w.agenda[i] = w.agenda[last]
	w.agenda = w.agenda[:last]
	w.blank = append(w.blank, what)
	return *what
}

// gather takes more of what has arrived at the place by now, for one transaction.
func (w *world) gather(notes []note, p place, service int) []note {
	if !w.strikes(w.swarm.grouped, faultGroup) {
		return notes
	}
	by := w.now + 4*time.Millisecond
	for room := 1 + w.below(3); room > 0; room-- {
		i := w.nextIndex(func(a *appointment) bool { return a.place == p && a.service == service && a.at <= by })
		if i < 0 {
			break
		}
		notes = append(notes, w.remove(i).note)
	}
	return notes
}
