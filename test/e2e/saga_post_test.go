package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"sync"
	"testing"

	sagasql "go.example/saga/sql"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
)

const (
	answers  = "stage.answers"  // replies before the post has let them through
	audience = "stage.audience" // events
)

// door is the queue of the commands that the post has let through to a step.
func door(step string) string { return "stage.door." + step }

// post carries every command and every reply of the stage, and listens to the events.
// A letter is named by its type: payment.REQUEST, payment.REQUEST.succeeded.
type post struct {
	t       *testing.T
	channel *amqp.Channel
	// carriers are those of one queue each.
	carriers sync.WaitGroup

	mu    sync.Mutex
	lost  []string // patterns of what disappears
	held  []string // patterns of what is kept
	kept  []letter
	taken []letter // all that were posted, in the order of arrival
}

type letter struct {
	amqp.Delivery
	to string // the queue it goes on to; empty where it stays
}

func openPost(t *testing.T, url string, def saga.Definition) *post {
	t.Helper()
	routes := map[string]string{answers: protocol.ReplyQueue(testenv.Service), audience: ""}
	topologies := []rabbit.Topology{
		rabbit.EventTopology(testenv.Owner, answers), rabbit.ReplyTopology(testenv.Owner), rabbit.EventTopology(testenv.Owner, audience, "#"),
	}
	for _, step := range def.Steps {
		if step.Kind == saga.Command {
			topologies = append(topologies, rabbit.CommandTopology(sagasql.Service{Name: step.Destination}), rabbit.EventTopology(testenv.Owner, door(step.Name)))
			routes[protocol.CommandQueue(step.Destination)] = door(step.Name)
		}
	}
	var all rabbit.Topology
	for _, topology := range topologies {
		all.Exchanges = append(all.Exchanges, topology.Exchanges...)
		all.Queues = append(all.Queues, topology.Queues...)
	}
	cfg := rabbit.Config{Name: "post", URL: func(context.Context) (string, error) { return url, nil }}
	require.NoError(t, rabbit.Declare(t.Context(), cfg, all))
	connection, err := amqp.Dial(url)
	require.NoError(t, err)
	p := &post{t: t}
	p.channel, err = connection.Channel()
	require.NoError(t, err)
	require.NoError(t, p.channel.Confirm(false))
	for _, from := range slices.Sorted(maps.Keys(routes)) {
		p.opens(from, routes[from])
	}
	t.Cleanup(func() {
		var errs []error
		for from := range routes {
			errs = append(errs, p.channel.Cancel(from, false))
		}
		p.carriers.Wait()
		// A broker that may open 1024 files has room for 300 quorum queues; the virtual
		// host stays until the end of all tests.
		for _, queue := range all.Queues {
			_, err := p.channel.QueueDelete(queue.Name, false, false, false)
			errs = append(errs, err)
		}
		assert.NoError(t, errors.Join(append(errs, connection.Close())...))
	})
	return p
}

// opens lets the post carry on what lies in the queue, and what comes.
func (p *post) opens(from, to string) {
	p.t.Helper()
	deliveries, err := p.channel.Consume(from, from, false, false, false, false, nil)
	require.NoError(p.t, err)
	p.carriers.Go(func() { assert.NoError(p.t, p.carry(deliveries, to)) })
}

func (p *post) carry(deliveries <-chan amqp.Delivery, to string) error {
	for d := range deliveries {
		if err := p.take(letter{d, to}); err != nil {
			return err
		}
		if err := d.Ack(false); err != nil {
			return err
		}
	}
	return nil
}

func (p *post) take(l letter) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken = append(p.taken, l)
	switch {
	case l.to == "" || l.is(p.lost...):
		return nil
	case l.is(p.held...):
		p.kept = append(p.kept, l)
		return nil
	}
	return p.deliver(l)
}

func (l letter) is(patterns ...string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		match, err := path.Match(pattern, l.Type)
		return match && err == nil
	})
}

func (p *post) deliver(l letter) error {
	replyTo := l.ReplyTo
	if replyTo != "" { // of a command: answers come to the post first
		replyTo = answers
	}
	confirm, err := p.channel.PublishWithDeferredConfirm("", l.to, false, false, amqp.Publishing{
		Headers: l.Headers, ContentType: l.ContentType, DeliveryMode: l.DeliveryMode, CorrelationId: l.CorrelationId,
		ReplyTo: replyTo, MessageId: l.MessageId, Timestamp: l.Timestamp, Type: l.Type, AppId: l.AppId, Body: l.Body,
	})
	if err != nil {
		return err
	}
	if stored, err := confirm.WaitContext(context.Background()); err != nil || !stored {
		return fmt.Errorf("%s was not stored: %w", l.Type, err)
	}
	return nil
}
