package sim

import (
	"time"

	"go.example/saga/pkg/outbox/desk"
)

// swarm says which faults a schedule has and how often. Each kind is drawn by
// itself: a schedule with every fault at once hides those that need calm around them.
type swarm struct {
	late       odds // a message takes longer than a timeout
	twice      odds // the broker delivers it again
	lost       odds // the relay's publish did not arrive, and its session ends
	unsure     odds // it arrived, and the session ends before it is confirmed
	choosy     odds // the broker refuses a message
	death      odds // a relay dies between two steps
	blind      odds // it does not hear whether the position is saved
	busy       odds // a transaction also writes of other things
	crash      odds // a process dies and does its work again
	stale      odds // a transaction commits long after it has read
	grouped    odds // a transaction takes all that has arrived
	technical  odds // a participant fails and changes nothing
	refusing   odds // it says no
	early      odds // a timer that is no longer meant fires
	lying      odds // it says the opposite as well
	silent     bool // replies do not say which attempt they answer
	untold     bool // timers are not told what has become of the commands
	away       [maxServices]away
	meddling   int // how many verbs the operator says
	signalling int // how often each signal comes
	horizon    time.Duration
	limits     desk.Limits
	page       int // rows that a relay reads at once
}

// windows are small ones, so that they are often full.
var windows = [...]int{4, 2, 3, 4, 1, 3, 2, 8}

// levels are the odds of a fault, the harmless one first.
var levels = [...]odds{0, 0, 12, 40, 90}

func (w *world) drawSwarm() {
	level := func() odds { return levels[w.below(len(levels))] }
	w.swarm = swarm{
		late: level(), twice: level(), lost: level(), unsure: level(), crash: level(), stale: level(),
		grouped: level(), technical: level(), refusing: level(), early: level(),
	}
	w.swarm.lost, w.swarm.unsure = w.swarm.lost/2, w.swarm.unsure/2
	w.swarm.death, w.swarm.choosy, w.swarm.blind, w.swarm.busy = w.swarm.crash/6, level()/2, level(), level()/2
	window := windows[w.below(len(windows))]
	w.swarm.limits = desk.Limits{Window: window, InFlight: max(1, window/(1+w.below(2))), Bytes: 100, Open: window}
	if w.below(4) == 3 {
		w.swarm.limits.Bytes = 2
	}
	w.swarm.page = 1 + w.below(3)
	w.swarm.lying = odds(max(0, 8*(w.below(8)-4)))
	w.swarm.silent = w.below(8) == 7
	w.swarm.untold = w.below(2) == 1
	w.swarm.meddling = max(0, w.below(8)-3)
	w.swarm.signalling = w.below(3)
	w.drawAway()
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
	faultRefused
	faultDead
	faultBlind
	faultReload
	faultFull
	faultChatter
	faultScheduled
	faultAway
	faults
)

var faultNames = [faults]string{
	"late message", "repeated message", "lost message", "unsure publish", "crash before commit", "crash after commit",
	"relay crash", "slow transaction", "stale read", "group commit", "technical error", "refusal", "early timer", "cancel before request", "lie",
	"refused publish", "dead message", "save without an answer", "parked messages changed", "full window", "other message", "scheduled message", "participant away",
}

// strikes draws whether the fault comes about. Once everything has healed none does.
func (w *world) strikes(o odds, f fault) bool {
	if w.healed || !w.happens(o) {
		return false
	}
	w.tally.Faults[f]++
	return true
}
