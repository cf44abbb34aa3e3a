package rabbit_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

func TestDeclareAgainChangesNothing(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	topology := rabbit.CommandTopology(testenv.Owner)
	require.NoError(t, rabbit.Declare(testContext(t), at(url), topology))
	require.NoError(t, rabbit.Declare(testContext(t), at(url), topology))
	for _, q := range []string{protocol.DeadQueue(testenv.Service), protocol.CommandQueue(testenv.Service)} {
		require.Zero(t, depth(t, url, q))
	}
}

func TestRouting(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	command, event := to(testenv.Service, 1), to("room-reservation.completed", 2)
	command.Exchange, event.Exchange = protocol.ExchangeCommands, protocol.ExchangeEvents
	for _, topology := range []rabbit.Topology{rabbit.CommandTopology(testenv.Owner), rabbit.EventTopology(testenv.Owner, "watch", "room-reservation.*")} {
		require.NoError(t, rabbit.Declare(testContext(t), at(url), topology))
	}
	for _, err := range publishAll(t, publisher(t, at(url), 2), []*outbox.Record{command, event}) {
		require.NoError(t, err)
	}
	require.Equal(t, 1, depth(t, url, protocol.CommandQueue(testenv.Service)))
	require.Equal(t, 1, depth(t, url, "watch"))
}

// An event that nobody listens to is published and kept, and does not stop what
// comes behind it; a command that nobody carries out does.
func TestEventWithoutAListener(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	event, command := to("room-reservation.completed", 1), to("payment", 2)
	event.Exchange, command.Exchange = protocol.ExchangeEvents, protocol.ExchangeCommands
	errs := publishAll(t, publisher(t, at(url), 2), []*outbox.Record{event, command})
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], outbox.ErrUnroutable)
	require.Equal(t, 1, depth(t, url, protocol.QueueUnheard))
}

// A listener in another language came first and declared the exchange plainly.
func TestEventsExchangeThatSomebodyElseMade(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	require.NoError(t, rawChannel(t, url).ExchangeDeclare(protocol.ExchangeEvents, "topic", true, false, false, false, nil))
	event := to("room-reservation.completed", 1)
	event.Exchange = protocol.ExchangeEvents
	p := publisher(t, at(url), 1)
	require.ErrorIs(t, publishAll(t, p, []*outbox.Record{event})[0], outbox.ErrUnroutable, "nothing is lost: it waits")
	require.NoError(t, rabbit.Declare(testContext(t), at(url), rabbit.EventTopology(testenv.Owner, "watch", "#")))
	require.NoError(t, publishAll(t, p, []*outbox.Record{event})[0])
	require.Equal(t, 1, depth(t, url, "watch"))
}

func TestWhatAQueueGivesUpGoesToTheDead(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	declareReplies(t, url)
	fill(t, url, 1)
	channel := rawChannel(t, url)
	require.Eventually(t, func() bool {
		d, ok, err := channel.Get(replies, false)
		require.NoError(t, err)
		return ok && d.Reject(false) == nil
	}, patience, 10*time.Millisecond)
	require.Eventually(t, func() bool { return depth(t, url, protocol.DeadQueue(testenv.Service)) == 1 }, patience, 50*time.Millisecond)
	require.Zero(t, depth(t, url, replies))
}

func TestDrift(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	_, err := rawChannel(t, url).QueueDeclare(replies, true, false, false, false, amqp.Table{
		amqp.QueueTypeArg: amqp.QueueTypeQuorum, "x-delivery-limit": 3,
	})
	require.NoError(t, err)
	_, err = rabbit.OpenConsumer(testContext(t), at(url), rabbit.EventTopology(testenv.Owner, replies), replies, 1)
	require.ErrorIs(t, err, rabbit.ErrDrift)
	for _, part := range []string{replies, "x-dead-letter", "rabbitmqctl list_queues -p", "delete_queue"} {
		require.ErrorContains(t, err, part)
	}

	require.NoError(t, rawChannel(t, url).ExchangeDeclare("odd", "direct", true, false, false, false, nil))
	err = rabbit.Declare(testContext(t), at(url), rabbit.Topology{Exchanges: []rabbit.Exchange{{Name: "odd", Kind: "topic"}}})
	require.ErrorIs(t, err, rabbit.ErrDrift)
	require.ErrorContains(t, err, `exchange "odd"`)
	require.ErrorContains(t, err, "rabbitmqctl list_exchanges")
}

func TestBindingToAMissingExchange(t *testing.T) {
	t.Parallel()
	queue := rabbit.Queue{Name: "q", DeliveryLimit: 1, Bindings: []rabbit.Binding{{Exchange: "missing", Key: "k"}}}
	err := rabbit.Declare(testContext(t), at(testenv.Vhost(t)), rabbit.Topology{Queues: []rabbit.Queue{queue}})
	require.ErrorContains(t, err, `binding of queue q to exchange missing`)
	require.NotErrorIs(t, err, rabbit.ErrDrift)
}

func TestConsumeFromAMissingQueue(t *testing.T) {
	t.Parallel()
	_, err := rabbit.OpenConsumer(testContext(t), at(testenv.Vhost(t)), rabbit.Topology{}, "missing", 1)
	require.ErrorContains(t, err, "no queue 'missing'")
}

// The broker itself refuses a second service of a name, before anything is changed, and says
// whose queue it is.
func TestAQueueHasOneOwner(t *testing.T) {
	t.Parallel()
	url := testenv.Vhost(t)
	other := sagasql.Service{Name: testenv.Service, ID: uuid.New()}
	for queue, topology := range map[string]func(sagasql.Service) rabbit.Topology{
		protocol.CommandQueue(testenv.Service): rabbit.CommandTopology,
		protocol.ReplyQueue(testenv.Service):   rabbit.ReplyTopology,
		protocol.EventQueue(testenv.Service): func(s sagasql.Service) rabbit.Topology {
			return rabbit.EventTopology(s, protocol.EventQueue(s.Name), "#")
		},
	} {
		require.NoError(t, rabbit.Declare(testContext(t), at(url), topology(testenv.Owner)))
		_, err := rabbit.OpenConsumer(testContext(t), at(url), topology(other), queue, 1)
		require.ErrorIs(t, err, inbox.ErrOwned)
		require.NotErrorIs(t, err, rabbit.ErrDrift)
		for _, part := range []string{queue, testenv.Owner.ID.String(), other.ID.String(), "UPDATE saga_service"} {
			require.ErrorContains(t, err, part)
		}
		require.NoError(t, rabbit.Declare(testContext(t), at(url), topology(testenv.Owner)), "it is as it was")
	}
}
