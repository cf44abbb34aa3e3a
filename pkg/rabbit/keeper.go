package rabbit

import (
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// pace holds the pauses of a session. Tests make them short.
type pace struct {
	headStart time.Duration // how long a session waits for what is seen to beside
	round     time.Duration // between two looks at what is seen to beside
	nudge     time.Duration // at least, also where something shows that one is due
	answer    time.Duration // an answer that takes longer is told
	silence   time.Duration // after the last delivery, until a consumer looks at its queue
}

var standard = pace{
	headStart: time.Second,
	round:     time.Minute,
	nudge:     5 * time.Second,
	answer:    5 * time.Second,
	silence:   3 * time.Second,
}

// fullRound is how many rounds of a keeper there are for one that repeats what was refused: the
// broker logs each refusal as an error.
const fullRound = 10

// keeper sees to what the session can do without for a while, beside the work and on a channel
// of its own: exchanges and queues that others consume or that take what is left over, and all
// bindings. None of it holds up the work: to bind what is bound took 45 s in a cluster with a
// frozen node, while all else took hundredths. What was deleted or has expired comes back
// in the next round.
type keeper struct {
	session *session
	remarks *Remarks
	pace    pace
	objects []object
	refused map[string]bool // names of what this session may not make
	settled map[string]bool // names of what it need not try to make in each round: refused, or different
	nudged  chan struct{}
	begun   chan struct{} // closed after the first round
}

// run sees to everything until the session ends.
func (k *keeper) run() {
	for round := 0; k.round(round%fullRound == 0); round++ {
		if round == 0 {
			close(k.begun)
		}
		if !k.pause(k.pace.nudge) {
			return
		}
		rest := time.NewTimer(k.pace.round - k.pace.nudge)
		select {
		case <-rest.C:
		case <-k.nudged:
		case <-k.session.done:
		}
		rest.Stop()
	}
}

// pause reports whether the session lasts for d.
func (k *keeper) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-k.session.done:
		return false
	}
}

// await waits for the first round, unless told otherwise not for long. It is no error that
// it takes longer, or that something is amiss there.
func (k *keeper) await(forIt bool) error {
	over := (<-chan time.Time)(nil)
	if !forIt {
		timer := time.NewTimer(k.pace.headStart)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-k.begun:
	case <-over:
	case <-k.session.done:
	}
	return k.session.reason()
}

// nudge asks for a round soon, because something shows that one is due.
func (k *keeper) nudge() {
	select {
	case k.nudged <- struct{}{}:
	default:
	}
}

// round reports whether the session lasts.
func (k *keeper) round(full bool) bool {
	a := &asker{link: k.session.link}
	for _, o := range k.objects {
		answered := k.expect(o)
		err := k.see(a, o, full)
		answered()
		if k.session.link.IsClosed() || k.session.reason() != nil {
			return false
		}
		k.remarks.note(o.name, err)
	}
	_ = a.close() // it may have been refused
	return true
}

// expect tells that an answer takes long, until it is there.
func (k *keeper) expect(o object) (answered func()) {
	var mu sync.Mutex
	waiting := true
	slow := time.AfterFunc(k.pace.answer, func() {
		mu.Lock()
		defer mu.Unlock()
		if waiting {
			k.remarks.note(o.name, fmt.Errorf("%s: %w within %s; messages go on meanwhile", o.name, ErrUnanswered, k.pace.answer))
		}
	})
	return func() {
		slow.Stop()
		mu.Lock()
		defer mu.Unlock()
		waiting = false
	}
}

// see declares an object, or where that is known to be of no use only looks at it.
func (k *keeper) see(a *asker, o object, full bool) error {
	if k.settled[o.name] && !full {
		if o.look == nil {
			return k.remarks.of(o.name)
		}
		err := a.ask(o.look)
		if err == nil {
			return k.remarks.of(o.name)
		}
		if !repliedWith(err, amqp.NotFound) {
			return fmt.Errorf("look at %s: %w", o.name, err)
		}
	}
	refused, err := a.ensure(o)
	k.refused[o.name] = refused
	k.settled[o.name] = refused || errors.Is(err, ErrDrift)
	if refused && k.refused[o.owner] {
		return nil // whoever makes the queue binds it, and nobody can look at a binding
	}
	return err
}
