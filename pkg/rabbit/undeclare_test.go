package rabbit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
)

func TestUndeclareRemovesTheTopologyAndNothingElse(t *testing.T) {
	t.Parallel()
	cfg := at(testenv.Vhost(t))
	ctx := testContext(t)
	ours, theirs := rabbit.CommandTopology(testenv.Owner), rabbit.Topology{Queues: []rabbit.Queue{{Name: "theirs", DeliveryLimit: 1}}}
	require.NoError(t, rabbit.Declare(ctx, cfg, ours))
	there, err := rabbit.Existing(ctx, cfg, ours)
	require.NoError(t, err)
	require.Equal(t, []string{
		"exchange " + protocol.ExchangeCommands, "exchange " + protocol.ExchangeDead,
		"queue " + protocol.CommandQueue(testenv.Service), "queue " + protocol.DeadQueue(testenv.Service),
	}, there)
	there, err = rabbit.Existing(ctx, cfg, rabbit.Topology{Queues: theirs.Queues})
	require.NoError(t, err)
	require.Empty(t, there)

	require.NoError(t, rabbit.Declare(ctx, cfg, theirs))
	require.NoError(t, rabbit.Undeclare(ctx, cfg, ours))
	require.NoError(t, rabbit.Undeclare(ctx, cfg, ours), "again")
	there, err = rabbit.Existing(ctx, cfg, ours)
	require.NoError(t, err)
	require.Empty(t, there)
	there, err = rabbit.Existing(ctx, cfg, rabbit.Topology{Queues: theirs.Queues})
	require.NoError(t, err)
	require.Equal(t, []string{"queue theirs"}, there)
}

func TestUndeclareLeavesWhatSomebodyUses(t *testing.T) {
	t.Parallel()
	cfg := at(testenv.Vhost(t))
	ctx := testContext(t)
	ours := rabbit.CommandTopology(testenv.Owner)
	consumer, err := rabbit.OpenConsumer(ctx, cfg, ours, protocol.CommandQueue(testenv.Service), 1)
	require.NoError(t, err)
	require.ErrorContains(t, rabbit.Undeclare(ctx, cfg, ours), `queue "saga.command.trips" has 1 consumers, so it stays`)
	command := to(testenv.Service, 1)
	command.Exchange = protocol.ExchangeCommands
	for _, err := range publishAll(t, publisher(t, cfg, 1), []*outbox.Record{command}) {
		require.NoError(t, err, "it is still bound")
	}
	require.NoError(t, consumer.Close())
	require.Eventually(t, func() bool { return rabbit.Undeclare(ctx, cfg, ours) == nil }, patience, patience/100)
}
