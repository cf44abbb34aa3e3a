package sim

import "time"

// swarm says which faults a schedule has and how often. Each kind is drawn by
// itself: a schedule with every fault at once hides those that need calm around them.
type swarm struct {
	late       odds // a message takes longer than a timeout
	twice      odds // the broker delivers it again
	lost       odds // the relay's publish is not confirmed, and did not arrive
	unsure     odds // it is not confirmed, and arrived
	crash      odds // a process dies and does its work again
	stale      odds // a transaction commits long after it has read
	grouped    odds // a transaction takes all that has arrived
	technical  odds // a participant fails and changes nothing
	refusing   odds // it says no
	early      odds // a timer that is no longer meant fires
	lying      odds // it says the opposite as well
	silent     bool // replies do not say which attempt they answer
	meddling   int  // how many verbs the operator says
	signalling int  // how often each signal comes
	horizon    time.Duration
}

// levels are the odds of a fault, the harmless one first.
var levels = [...]odds{0, 0, 12, 40, 90}

func (w *world) drawSwarm() {
	level := func() odds { return levels[w.below(len(levels))] }
	w.swarm = swarm{
		late: level(), twice: level(), lost: level(), unsure: level(), crash: level(), stale: level(),
		grouped: level(), technical: level(), refusing: level(), early: level(),
	}
	w.swarm.lying = odds(max(0, 8*(w.below(8)-4)))
	w.swarm.silent = w.below(8) == 7
	w.swarm.meddling = max(0, w.below(8)-3)
	w.swarm.signalling = w.below(3)
	w.swarm.horizon = time.Duration(16+8*w.below(16)) * time.Millisecond
}

// fault is a kind of disturbance, for the count of those that came about.
type fault uint8

const (
	faultLate fault = iota
	faultTwice
	faultLost
	faultUnsure
	faultCrashBefore
	faultCrashAfter
	faultRelayCrash
	faultSlow
	faultConflict
	faultGroup
	faultTechnical
	faultRefusal
	faultEarly
	faultTombstone
	faultLie
	faults
)

var faultNames = [faults]string{
	"late message", "repeated message", "lost message", "unsure publish", "crash before commit", "crash after commit",
	"relay crash", "slow transaction", "stale read", "group commit", "technical error", "refusal", "early timer", "cancel before request", "lie",
}

// strikes draws whether the fault comes about. Once everything has healed none does.
func (w *world) strikes(o odds, f fault) bool {
	if w.healed || !w.happens(o) {
		return false
	}
	w.tally.Faults[f]++
	return true
}
