package rabbit

import (
	"context"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	sagasql "go.example/saga/sql"
)

// hearPrefetch is two batches: one is worked on while the next one arrives.
const hearPrefetch = 200

// HearEvents opens sessions, for [inbox.Config], on the owner's queue of the events whose
// routing keys match one of the patterns, for example "hotel.room.booked". The queue is made
// where it is not there. An empty name is [protocol.EventQueue]: a service that has several
// consumers of events names the queues of the others.
func HearEvents(cfg Config, queue string, patterns ...string) func(context.Context, sagasql.Service) (inbox.Source, error) {
	return func(ctx context.Context, owner sagasql.Service) (inbox.Source, error) {
		name := queue
		if name == "" {
			name = protocol.EventQueue(owner.Name)
		}
		consumer, err := OpenConsumer(ctx, cfg, EventTopology(owner, name, patterns...), name, hearPrefetch)
		if err != nil {
			return nil, err // and no nil pointer inside of the interface
		}
		return consumer, nil
	}
}
