package orchestrator

import (
	"context"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// Queue is what the broker says of a queue.
type Queue struct {
	Name string
	// Exists is false for a queue that is not there; the rest is then zero.
	Exists bool
	// Messages are those that wait to be delivered.
	Messages  int
	Consumers int
}

// askTimeout bounds one question to the broker, the login included.
const askTimeout = 8 * time.Second

// queueOf is the queue in which the destination's commands lie.
func queueOf(destination string) string { return protocol.CommandQueue(destination) }

// queues remembers for one sweeper who takes the commands of each destination. The broker
// is asked only when the time of a command is over that was published.
type queues struct {
	// ask is [Config.Queues]; nil where there is nobody to ask.
	ask func(ctx context.Context, names []string) ([]Queue, error)
	log *zap.Logger
	// known is by destination.
	known map[string]*service
}

// service is what is known of the consumers of one destination's commands.
type service struct {
	// asked is when the broker was asked last, and answer what it said; nil once it is
	// taken in.
	asked  time.Time
	answer *answer
	// seen says that an answer was taken in before.
	seen bool
	// said is what the core is told.
	said saga.Queue
	// messages lay there at the last look, and at each one since the time of the first.
	messages int
	since    time.Time
	// behind says that older commands may lie there still, and back that they gathered
	// while nobody took them.
	behind, back bool
}

// backlog is how long a queue may hold messages at each look before that counts as its usual
// state. It is longer than a bad quarter of an hour: what asks again adds to the backlog that
// keeps it from being answered, and sagas would go back although nothing was lost.
const backlog = 20 * time.Minute

// answer is what the broker said of a queue: an error, nothing, or its state.
type answer struct {
	err   error
	state *Queue
}

// stale lists the destinations of which was not asked since then, once each.
func (q *queues) stale(destinations []string, since time.Time) []string {
	if q.ask == nil {
		return nil
	}
	var names []string
	for _, d := range destinations {
		if k, ok := q.known[d]; !ok || k.asked.Before(since) {
			names = append(names, d)
		}
	}
	return names
}

// look asks the broker about the destinations' queues. That it does not answer is an answer
// too.
func (q *queues) look(ctx context.Context, destinations []string) {
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	names := make([]string, len(destinations))
	for i, d := range destinations {
		names[i] = queueOf(d)
	}
	states, err := q.ask(asking, names)
	if ctx.Err() != nil {
		return // who asks gives up, and knows nothing
	}
	byName := map[string]*Queue{}
	for i := range states {
		byName[states[i].Name] = &states[i]
	}
	asked := time.Now()
	for i, d := range destinations {
		k, ok := q.known[d]
		if !ok {
			k = &service{}
			q.known[d] = k
		}
		k.asked, k.answer = asked, &answer{err: err, state: byName[names[i]]}
	}
}

// said is what the core is told of the destinations, now being the database's time of a
// moment after they were asked about.
func (q *queues) said(destinations []string, now time.Time) map[string]saga.Queue {
	said := make(map[string]saga.Queue, len(destinations))
	for _, d := range destinations {
		k, ok := q.known[d]
		if !ok {
			continue
		}
		if a := k.answer; a != nil {
			before := k.said.Held
			if *k = k.take(queueOf(d), now); k.said.Held != before {
				q.tell(d, k.said.Held, a.err)
			}
		}
		if k.said.Served.After(now) {
			k.said.Served = now // the database's clock has gone back
		}
		said[d] = k.said
	}
	return said
}

func (q *queues) tell(destination, held string, err error) {
	if held == "" {
		q.log.Info("commands are taken from their queue again", zap.String("queue", queueOf(destination)))
		return
	}
	q.log.Warn("commands that lie in their queue are held: no attempt is spent on them, and they are not sent again",
		zap.String("queue", queueOf(destination)), zap.String("why", held), zap.Error(err))
}

// take makes of the answer what the core is told. While messages lie in a queue that
// somebody takes them from, older commands may be among them: the time of their attempts
// begins anew at each look, as long as the messages grow fewer, or have not lain there for
// long. A queue that is never empty must hold up nobody for ever.
func (k service) take(queue string, now time.Time) service {
	next := service{asked: k.asked, seen: true}
	switch a := k.answer; {
	case a.err != nil:
		next.said.Held = "waits for the broker, which cannot be asked about " + queue
	case a.state == nil: // who takes from it cannot be told
	case !a.state.Exists:
		next.said.Held = "waits for the queue " + queue
	case a.state.Consumers == 0:
		next.said.Held = "waits for a consumer of " + queue
	default:
		next.messages, next.said.Served = a.state.Messages, k.said.Served
		if next.messages > 0 {
			next.since, next.back = k.since, k.back || k.said.Held != "" || !k.seen
			if next.since.IsZero() {
				next.since = now
			}
			next.behind = next.messages < k.messages || now.Sub(next.since) < backlog
		}
		if next.behind || k.said.Held != "" || k.behind && k.back {
			next.said.Served = now
		}
	}
	return next
}
