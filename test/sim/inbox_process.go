package sim

import (
	"slices"
	"time"

	"go.example/saga/pkg/inbox/blame"
)

// process is one consumer of the queue. What it knows is lost when it dies.
type process struct {
	number    int
	up        bool
	inSession bool
	next      time.Duration // when it does something again
	state     *blame.State
	window    []*copyOf
	// failing is what the simulator has seen of what fails alone, and commits how often
	// something has committed.
	failing map[*letter]*failing
	commits int
	streaks int // of failures that have ended, by a commit or because no message waited
}

type failing struct {
	streak  int
	since   time.Duration
	gaps    int // between failures, in which others have committed
	commits int
}

// proven says, by the simulator's own count, that the message fails while others do not.
func (f *failing) proven() bool { return f.gaps >= 2 }

const (
	heldLong    = 15 * time.Minute // then a session is replaced
	reopen      = 3 * time.Second
	afterUpkeep = 5 * time.Second
)

// step lets a process do one thing.
func (w *inboxWorld) step(p *process) {
	switch {
	case !p.up:
		r := blame.Standard
		r.Crowd = inboxBatch
		w.lives++
		p.up, p.state, p.failing = true, blame.New(r, w.lives), map[*letter]*failing{}
	case w.strikes(w.swarm.lost, faultSession):
		w.tell("process %d loses its session", p.number)
		w.endSession(p, time.Second)
	case p.state.Open():
		w.probe(p)
	case !p.inSession && w.unreachable():
		p.next = w.now + reopen
	default:
		p.inSession = true
		w.work(p)
	}
}

func (w *inboxWorld) work(p *process) {
	w.putBack(p)
	if !p.up {
		return
	}
	w.receive(p)
	var due, others []*copyOf
	var again *copyOf // the first of those that were delivered before
	for _, c := range p.window {
		switch {
		case c.held && w.now-c.taken > heldLong:
			w.tally.Faults[faultHeldLong]++
			w.endSession(p, 100*time.Millisecond)
			return
		case c.held && c.due <= w.now:
			due = append(due, c)
		case c.held || c.due > w.now:
		case c.again && (again == nil || c.due < again.due):
			again = c
		case !c.again:
			others = append(others, c)
		}
	}
	switch {
	case len(due) > 0 && (len(others) == 0 && again == nil || w.below(2) == 1):
		w.alone(p, due[w.below(len(due))])
	case again != nil:
		w.batch(p, []*copyOf{again})
	case len(others) > 0:
		w.batch(p, others[:min(len(others), 1+w.below(inboxBatch))])
	default:
		p.next = w.nextDue(p)
	}
}

// receive takes what is in the queue, as far as there is room.
func (w *inboxWorld) receive(p *process) {
	for _, c := range w.queue {
		if c.holder == nil && len(p.window) < inboxWindow {
			c.holder, c.taken = p, w.now
			w.sort(p, c)
			p.window = append(p.window, c)
		}
	}
}

// sort has the rule say whether the delivery is held, and when it is tried.
func (w *inboxWorld) sort(p *process, c *copyOf) {
	v := p.state.Arrived(c.letter.key)
	c.held = v.Do == blame.Hold
	if c.again && !c.held {
		v = p.state.CameAgain(c.letter.key, w.clock())
	}
	c.due = v.At.Sub(epoch)
}

// nextDue is when a process that has nothing to do looks again.
func (w *inboxWorld) nextDue(p *process) time.Duration {
	next := w.now + 10*time.Minute
	sooner := func(at time.Duration) {
		if at > w.now {
			next = min(next, at)
		}
	}
	for _, c := range p.window {
		sooner(c.due)
		sooner(c.taken + heldLong + 1)
	}
	if len(w.coming) > 0 {
		sooner(w.coming[0].arrives)
	}
	for _, l := range w.aside {
		for i := range l.rows {
			if l.rows[i].state == rowHeld {
				sooner(max(l.rows[i].due, w.now+afterUpkeep))
			}
		}
	}
	return next
}

// batch tries deliveries together and acknowledges what is done, when the circuit has not
// opened meanwhile.
func (w *inboxWorld) batch(p *process, cs []*copyOf) {
	done, over := w.divide(p, cs)
	if !over {
		w.acknowledge(p, done...)
	}
}

// divide tries deliveries together and by halves. over: the session is.
func (w *inboxWorld) divide(p *process, cs []*copyOf) (done []*copyOf, over bool) {
	for len(cs) > 0 {
		r := w.attempt(p, cs)
		switch r {
		case didDie:
			return nil, true
		case didCommit:
			return append(done, cs...), false
		case didFail, notBegun:
		}
		v := w.judged(p, cs, r)
		switch v.Do {
		case blame.GiveBack:
			w.endSession(p, 0)
			return nil, true
		case blame.Again:
			w.now = max(w.now, v.At.Sub(epoch))
		case blame.Split:
			half := len(cs) / 2
			first, over := w.divide(p, cs[:half])
			if over {
				return nil, true
			}
			done, cs = append(done, first...), cs[half:]
		default:
			w.sort(p, cs[0])
			return done, false
		}
	}
	return done, false
}

// alone tries a delivery that has failed before, and sets it aside when the rule says so.
// It says whether the delivery is settled.
func (w *inboxWorld) alone(p *process, c *copyOf) bool {
	r := w.attempt(p, []*copyOf{c})
	switch r {
	case didDie:
		return false
	case didCommit:
		w.acknowledge(p, c)
		return true
	case didFail, notBegun:
	}
	before := c.letter.rows[ownRow].state != noRow
	v := w.judged(p, []*copyOf{c}, r)
	switch v.Do {
	case blame.GiveBack:
		w.endSession(p, 0)
	case blame.SetAside:
		w.checkBlame(p, c.letter, before)
		if w.fails(ofQuarantine) || w.unreachable() {
			break // it stays held
		}
		w.tell("process %d sets %s aside", p.number, c.letter)
		w.setAside(c.letter, ownRow)
		p.state.Forget(c.letter.key)
		delete(p.failing, c.letter)
		w.acknowledge(p, c)
		return true
	default:
	}
	if p.inSession || p.state.Open() {
		w.sort(p, c)
	}
	return false
}

// probe begins a session with one message after another, until one commits or fails.
func (w *inboxWorld) probe(p *process) {
	if at := p.state.NextProbe().Sub(epoch); at > w.now {
		p.next = at
		return
	}
	if w.unreachable() {
		p.next = w.now + reopen
		return
	}
	p.inSession = true
	w.receive(p)
	if len(p.window) == 0 {
		w.now += blame.Standard.Probe.Max
		w.arrive()
		w.receive(p)
		if len(p.window) == 0 {
			w.tell("process %d: the circuit is closed, no message waits", p.number)
			w.tally.Faults[faultIdle]++
			p.state.Idle()
			p.streaks++
			return
		}
	}
	for left := slices.Clone(p.window); len(left) > 0 && p.up && p.state.Open(); {
		keys := make([]blame.Key, len(left))
		for i, c := range left {
			keys[i] = c.letter.key
		}
		i := p.state.Candidate(keys)
		if !w.alone(p, left[i]) {
			break
		}
		left = slices.Delete(left, i, i+1)
	}
	if !p.up {
		return
	}
	if p.state.Open() {
		w.endSession(p, 0)
		return
	}
	for _, c := range p.window {
		w.sort(p, c)
	}
}

// endSession gives everything back.
func (w *inboxWorld) endSession(p *process, pause time.Duration) {
	for _, c := range p.window {
		c.holder, c.held, c.again = nil, false, true
		c.count++
		if c.count > w.swarm.limit {
			w.tally.Faults[faultDeadLetter]++
			w.tell("the broker gives %s up", c.letter)
			w.setAside(c.letter, deadLetterRow)
			w.leave(c)
		}
	}
	p.window, p.inSession = p.window[:0], false
	p.next = w.now + pause
	w.wake()
}

// kill ends a process as a crash does; something starts it again.
func (w *inboxWorld) kill(p *process, why string) {
	w.tell("process %d dies %s", p.number, why)
	w.endSession(p, time.Duration(1+w.below(8))*time.Second)
	p.up = false
}

// wake has those who wait look.
func (w *inboxWorld) wake() {
	for _, p := range w.processes {
		if p.up && p.inSession {
			p.next = min(p.next, w.now)
		}
	}
}
