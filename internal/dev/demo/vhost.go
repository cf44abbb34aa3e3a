package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.example/saga/internal/app/sample"
	"go.example/saga/internal/dev/services"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

// declared is everything that the five daemons, and the demos' own steps, declare on the broker,
// by name.
func declared() rabbit.Topology {
	var all rabbit.Topology
	for _, t := range []rabbit.Topology{
		rabbit.PublisherTopology(),
		rabbit.CommandTopology(sagasql.Service{Name: "hotel"}),
		rabbit.CommandTopology(sagasql.Service{Name: "payment"}),
		rabbit.CommandTopology(sagasql.Service{Name: service}), // see extra
		rabbit.ReplyTopology(sagasql.Service{Name: "reservation"}),
		rabbit.EventTopology(sagasql.Service{Name: "reservation"}, protocol.EventQueue("reservation")),
		// Without an orchestrator, see choreography.
		rabbit.EventTopology(sagasql.Service{Name: "reservation"}, protocol.WatchQueue("reservation")),
		rabbit.EventTopology(sagasql.Service{Name: "reservation"}, sample.FactsQueue("reservation")),
		rabbit.EventTopology(sagasql.Service{Name: "hotel"}, sample.FactsQueue("hotel")),
		rabbit.EventTopology(sagasql.Service{Name: "payment"}, sample.FactsQueue("payment")),
	} {
		all.Exchanges = append(all.Exchanges, t.Exchanges...)
		all.Queues = append(all.Queues, t.Queues...)
	}
	return all
}

// borrow makes sure that everything which the daemons will declare in a virtual
// host that is not the project's own will be theirs: what is there already belongs
// to somebody, whose messages they would take. giveBack deletes it after they have
// stopped.
func borrow(ctx context.Context, address string) (giveBack func(context.Context, services.Report) error, err error) {
	cfg := rabbit.Config{Name: "demo", URL: func(context.Context) (string, error) { return address, nil }}
	there, err := rabbit.Existing(ctx, cfg, declared())
	if err != nil {
		return nil, fmt.Errorf("look whether the virtual host is free for the demo: %w", err)
	}
	if len(there) > 0 {
		slices.Sort(there) // the topologies of the daemons overlap
		return nil, fmt.Errorf(`the virtual host is not known to be this project's own and has already: %s
Whose these are cannot be told, so nothing is started there. One of these helps:
  run this as root, or with the broker's management plugin enabled, so that a virtual host of its own can be made or recognised
  name an empty virtual host: AMQP_URL=amqp://USER:PASSWORD@HOST:PORT/VHOST
  delete them, if they are left from a demo that was killed`, strings.Join(slices.Compact(there), ", "))
	}
	return func(ctx context.Context, report services.Report) error {
		report("deleting the exchanges and queues that the daemons declared")
		return undeclare(ctx, cfg)
	}, nil
}

// patience is how long the broker may take to notice that the daemons have gone.
const patience = 10 * time.Second

func undeclare(ctx context.Context, cfg rabbit.Config) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // also after Ctrl-C
	defer cancel()
	tick := time.NewTicker(tellTime)
	defer tick.Stop()
	for {
		err := rabbit.Undeclare(ctx, cfg, declared())
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("leave the virtual host as it was: %w", err)
		case <-tick.C:
		}
	}
}
