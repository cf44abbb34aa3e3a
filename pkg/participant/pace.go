package participant

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// kind is what is expected to take alike.
type kind struct {
	step string
	op   saga.Operation
}

// note is what is known of one slow command, under its key.
type note struct {
	// alone: it has outrun a budget that it shared.
	alone bool
	// limited is the message with which it came when it reached its limit.
	limited string
	// attempt and took are those of the run that ended last.
	attempt int
	took    time.Duration
	// inLine: it came again before it had its turn, which was told.
	inLine bool
	until  time.Time
}

// noteTime is how long a note is kept: longer than a slow command takes to come again.
const noteTime = 10 * time.Minute

// pace knows how long handlers take. It is safe for concurrent use.
type pace struct {
	budget time.Duration
	mu     sync.Mutex
	costs  map[kind]time.Duration // of one command, where the handler takes one
	sizes  map[kind]int           // of the sets that fit, where it takes many
	notes  map[string]note
}

func newPace(budget time.Duration) *pace {
	return &pace{budget: budget, costs: map[kind]time.Duration{}, sizes: map[kind]int{}, notes: map[string]note{}}
}

// cost is how long the handler of a delivery is expected to take. Of a handler that has not
// run yet nothing is known, and it begins with a command alone.
func (p *Participant) cost(d inbox.Delivery) (expected time.Duration, certain bool) {
	k := kind{d.Headers[protocol.HeaderSagaStep], saga.Operation(d.Headers[protocol.HeaderSagaOp])}
	if do, _ := p.cfg.Steps[k.step].handler(k.op); do == nil {
		return 0, false
	}
	p.pace.mu.Lock()
	defer p.pace.mu.Unlock()
	n := p.pace.notes[d.Headers[protocol.HeaderSagaKey]]
	switch {
	case n.limited != "" && n.limited == d.MessageID:
		return 0, false // it is only to be answered
	case n.alone:
		return p.pace.budget, true
	}
	if size := p.pace.sizes[k]; size > 0 {
		return p.pace.budget / time.Duration(size), false
	}
	if cost, known := p.pace.costs[k]; known {
		return cost, false
	}
	return p.pace.budget, false
}

// trial is how long the handler for a command may take that is expected to take long, where
// it would hold up all others: time enough if it is as the others of its kind.
func (p *pace) trial(k kind) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.budget, 2*p.costs[k])
}

// sawOne learns from a handler for one command that has ended by itself. What takes longer
// is believed at once; what takes less with a quarter of the difference, so that one fast
// command among slow ones does not fill a transaction with them.
func (p *pace) sawOne(k kind, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if before, known := p.costs[k]; known && took < before {
		took = before - (before-took)/4
	}
	p.costs[k] = took
}

// sawSet learns from a handler for many, whose time need not grow with their number: sets
// grow to what is sure to fit, and are halved when they did not.
func (p *pace) sawSet(k kind, n int, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch size := p.sizes[k]; {
	case took >= p.budget:
		p.sizes[k] = max(1, n/2)
	case took <= p.budget/2:
		p.sizes[k] = max(size, 2*n, int(time.Duration(n)*p.budget/(2*max(took, 1))))
	default:
		p.sizes[k] = max(size, n)
	}
}

func (p *pace) note(key string) note {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.notes[key]
}

// remember changes the note of a command.
func (p *pace) remember(cmd Command, change func(*note)) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, n := range p.notes {
		if n.until.Before(now) {
			delete(p.notes, key)
		}
	}
	n := p.notes[cmd.Key()]
	change(&n)
	n.until = now.Add(noteTime)
	p.notes[cmd.Key()] = n
}

// asked warns of a handler that outlasts its step's timeout: a later attempt of the command
// came, and the one that was under way then has done it.
func (p *Participant) asked(t *task) {
	n := p.pace.note(t.cmd.Key())
	if t.run || n.attempt == 0 || n.attempt >= t.cmd.Attempt {
		return
	}
	p.log.Warn("a handler outlasts its step's timeout: the command was sent again before it was answered",
		zap.String("key", t.cmd.Key()), zap.Duration("took", n.took), zap.Int("attempt", t.cmd.Attempt))
}
