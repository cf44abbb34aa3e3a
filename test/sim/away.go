package sim

import (
	"time"

	"go.example/saga/pkg/saga"
)

// away is while a participant consumes nothing. What is for it lies in its queue.
type away struct{ from, until time.Duration }

// drawAway draws when each participant is away, if ever.
func (w *world) drawAway() {
	for s := 1; s < maxServices; s++ {
		w.swarm.away[s] = away{}
		if w.below(4) == 3 {
			from := time.Duration(w.below(64)) * time.Millisecond
			w.swarm.away[s] = away{from, from + time.Duration(8+w.below(64))*time.Millisecond}
		}
	}
}

func (a away) at(t time.Duration) bool { return a.from <= t && t < a.until }

// lies leaves what comes to a participant that is away in its queue.
func (w *world) lies(a appointment) bool {
	gone := w.swarm.away[a.service]
	if !gone.at(w.now) {
		return false
	}
	w.tally.Faults[faultAway]++
	w.tell("participant %d is away: %s", a.service, a.note)
	a.at = gone.until
	w.plan(a)
	return true
}

// queues is what the broker says of consumers.
func (w *world) queues() map[string]saga.Queue {
	var queues map[string]saga.Queue
	for s, gone := range w.swarm.away {
		if gone.until == 0 || w.now < gone.from {
			continue
		}
		if queues == nil {
			queues = map[string]saga.Queue{}
		}
		if gone.at(w.now) {
			queues[queueNames[s]] = saga.Queue{Held: "waits for a consumer of " + queueNames[s]}
		} else {
			queues[queueNames[s]] = saga.Queue{Served: epoch.Add(gone.until)}
		}
	}
	return queues
}

// queueNames are the participants' destinations.
var queueNames = [maxServices]string{1: "one", 2: "two"}
