package rabbit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Declare makes sure that the whole topology exists. Its error Is [inbox.ErrOwned] when a queue of
// that name is another service's, [ErrDrift] when something exists with other arguments, and
// [ErrMissing] when something is not there and may not be made.
func Declare(ctx context.Context, cfg Config, topology Topology) error {
	s, err := open(ctx, cfg, func(s *session) error {
		a := &asker{link: s.link}
		for _, o := range topology.objects(s.link.vhost, everything) {
			if _, err := a.ensure(o); err != nil && !withoutAlternate(err) {
				return err
			}
		}
		return a.close()
	})
	if err != nil {
		return err
	}
	return s.close()
}

// which chooses from a topology, by kind and name.
type which struct {
	exchange, queue func(name string) bool
	bindings        bool
}

func all(string) bool  { return true }
func none(string) bool { return false }

func only(names ...string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

var everything = which{exchange: all, queue: all, bindings: true}

// rest are the others, and all bindings.
func (w which) rest() which {
	return which{
		exchange: func(name string) bool { return !w.exchange(name) },
		queue:    func(name string) bool { return !w.queue(name) },
		bindings: true,
	}
}

// objects are those chosen, bindings last: these may take long, see [keeper].
func (t Topology) objects(vhost string, w which) (chosen []object) {
	for _, e := range t.Exchanges {
		if w.exchange(e.Name) {
			chosen = append(chosen, e.object(vhost))
		}
	}
	for _, q := range t.Queues {
		if w.queue(q.Name) {
			chosen = append(chosen, q.object(vhost))
		}
	}
	for _, q := range t.Queues {
		if w.bindings {
			chosen = append(chosen, q.bindings(vhost)...)
		}
	}
	return chosen
}

// withoutAlternate says that an exchange differs in nothing but where unrouted messages go: a
// listener in another language that came first must not stop everybody else.
func withoutAlternate(err error) bool {
	var reply *amqp.Error
	return errors.As(err, &reply) && reply.Code == amqp.PreconditionFailed && strings.Contains(reply.Reason, "'alternate-exchange'")
}

// establish makes sure of the main objects, without which the session is of no use, and has
// a keeper see to all others beside.
//
// A session waits for the keeper's first round where the main queue was made just now: what is
// sent before it is bound does not reach it. Else it waits no longer than a moment, which spares
// an event that nobody listens to its first try where nothing existed yet.
func (s *session) establish(topology Topology, main which) error {
	a := &asker{link: s.link}
	made := false
	for _, q := range topology.Queues {
		if !main.queue(q.Name) || len(q.Bindings) == 0 {
			continue
		}
		err := a.ask(q.object(s.link.vhost).look)
		made = made || repliedWith(err, amqp.NotFound)
		if err != nil && !made {
			return fmt.Errorf("look at queue %q: %w", q.Name, err)
		}
	}
	refusals := map[string]bool{}
	for _, o := range topology.objects(s.link.vhost, main) {
		refused, err := a.ensure(o)
		refusals[o.name] = refused
		if withoutAlternate(err) {
			s.cfg.Remarks.note(o.name, err)
			continue
		}
		if err != nil {
			return err
		}
		s.cfg.Remarks.note(o.name, nil)
	}
	if err := a.close(); err != nil {
		return fmt.Errorf("close the channel of the topology: %w", err)
	}
	s.keeper = &keeper{
		session: s, remarks: s.cfg.Remarks, pace: s.cfg.pace, nudged: make(chan struct{}, 1), begun: make(chan struct{}),
		objects: topology.objects(s.link.vhost, main.rest()), refused: refusals, settled: map[string]bool{},
	}
	s.background.Go(s.keeper.run)
	return s.keeper.await(made)
}
