package rabbit

import (
	"context"
	"maps"

	amqp "github.com/rabbitmq/amqp091-go"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	sagasql "go.example/saga/sql"
)

// OpenDeadLetters consumes what the owner's queues have given up. The deliveries are those of
// the queues in which they lay, as they were there: what is set aside of them goes back to
// these. Otherwise it is as [OpenConsumer], but a queue with other arguments will do.
func OpenDeadLetters(ctx context.Context, cfg Config, owner sagasql.Service, prefetch int) (*Consumer, error) {
	return openConsumer(ctx, cfg, deadTopology(owner), which{exchange: none, queue: none}, protocol.DeadQueue(owner.Name), prefetch, undead)
}

// ofTheDead are headers that the broker adds to a message that a queue gives up.
var ofTheDead = []string{
	"x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason",
	"x-last-death-exchange", "x-last-death-queue", "x-last-death-reason",
}

// undead makes a dead letter what it was in the queue that gave it up.
func undead(d *amqp.Delivery, queue string) inbox.Delivery {
	last := lastDeath(d.Headers)
	if name, ok := last["queue"].(string); ok {
		queue = name
	}
	if exchange, ok := last["exchange"].(string); ok {
		d.Exchange = exchange
	}
	if keys, ok := last["routing-keys"].([]any); ok && len(keys) > 0 {
		d.RoutingKey, _ = keys[0].(string)
	}
	if expiration, ok := last["original-expiration"].(string); ok {
		d.Expiration = expiration // which the broker took away, so that it does not expire once more
	}
	d.Headers = maps.Clone(d.Headers)
	for _, header := range ofTheDead {
		delete(d.Headers, header)
	}
	return received(d, queue)
}

// lastDeath is what the broker says of the last queue that gave a message up.
func lastDeath(headers amqp.Table) amqp.Table {
	deaths, _ := headers["x-death"].([]any)
	if len(deaths) == 0 {
		return nil
	}
	last, _ := deaths[0].(amqp.Table)
	return last
}
