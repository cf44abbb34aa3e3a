package sim

import "fmt"

// Invariant names a promise.
type Invariant string

// What is held after every step and at the end.
const (
	invCompleted   Invariant = "COMPLETED: every needed effect is in force, once"
	invAborted     Invariant = "ABORTED: no effect is in force, and none can come"
	invTwice       Invariant = "no effect is applied twice"
	invReverse     Invariant = "compensation is strictly in reverse of the stages"
	invForward     Invariant = "a stage begins when those before it are through"
	invNoWayBack   Invariant = "no compensation after the pivot or the first CONFIRM"
	invConfirm     Invariant = "CONFIRM only when everything is reserved"
	invAfterEnd    Invariant = "terminal states are absorbing, and nothing is sent"
	invVersion     Invariant = "the version is the number of history entries"
	invIdentity    Invariant = "a command means one thing over all its attempts"
	invParked      Invariant = "a saga that is parked says so"
	invEvents      Invariant = "an end is told of once, when it comes"
	invPaused      Invariant = "a saga that is paused or parked begins nothing"
	invStuck       Invariant = "a saga that runs is timed"
	invUnawaited   Invariant = "what is not awaited changes nothing"
	invHonest      Invariant = "honest answers never contradict each other"
	invUnknown     Invariant = "an outcome is unknown only after the last attempt"
	invPatience    Invariant = "answers retry are borne with for as long as the policy says"
	invSpent       Invariant = "no attempt is spent on a command that was not published, to a queue that is consumed, for its whole time"
	invSignal      Invariant = "a signal that was accepted counts"
	invNeeded      Invariant = "a condition decides by payload and earlier outputs"
	invDelay       Invariant = "a delay lasts"
	invReason      Invariant = "what first turned a saga back stays the reason"
	invVerb        Invariant = "an operator's word holds"
	invProgress    Invariant = "every saga ends once everything has healed"
	invLost        Invariant = "what is committed is published"
	invOrder       Invariant = "the messages of an aggregate are first published in their order"
	invRepeated    Invariant = "a message is repeated after a crash only, and at most a window"
	invUncommitted Invariant = "what is not committed is not published"
	invEarly       Invariant = "a message for later is not published before its time"
	invBlame       Invariant = "a message is set aside when it alone fails, over a minute, while others commit"
	invGivenBack   Invariant = "while the circuit is open nothing is acknowledged"
	invSomewhere   Invariant = "a message is in its queue, in a row that tries it again, or counted as dead"
	invInnocent    Invariant = "no good message ends dead"
	invStarved     Invariant = "bad messages do not hold up good ones"
	invPoison      Invariant = "what fails by itself is set aside, and comes back when its cause is mended"
	invDefinition  Invariant = "a legal definition can be started"
)

// Violation is a broken invariant, and how it came about.
type Violation struct {
	Seed      uint64
	Invariant Invariant
	Detail    string
	// Script is the shrunk list of decisions, and Conversation what it says.
	Script       []byte
	Conversation string
	relay        int // the service whose relay broke it; -1: none did
}

// Error makes a violation an error.
func (v *Violation) Error() string {
	return fmt.Sprintf("seed %d: %s: %s\n%s", v.Seed, v.Invariant, v.Detail, v.Conversation)
}

// fail records the first violation, which ends the schedule.
func (w *world) fail(i Invariant, format string, args ...any) {
	if w.broken == nil {
		w.broken = &Violation{Invariant: i, Detail: fmt.Sprintf(format, args...), relay: -1}
		w.tell("BROKEN: %s: %s", i, w.broken.Detail)
	}
}

// failRelay records that a service's relay broke an invariant.
func (w *world) failRelay(s int, i Invariant, format string, args ...any) {
	if w.broken == nil {
		w.fail(i, "service %d: %s", s, fmt.Sprintf(format, args...))
		w.broken.relay = s
	}
}
