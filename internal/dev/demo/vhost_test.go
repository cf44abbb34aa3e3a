package demo

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func config(address string) rabbit.Config {
	return rabbit.Config{Name: "demo-test", URL: func(context.Context) (string, error) { return address, nil }}
}

// The whole demo, in a virtual host that somebody has lent.
func TestDemoLeavesABorrowedVirtualHostAsItWas(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the demo takes seconds")
	}
	testenv.Connections(t, 40)
	root, err := services.Root()
	require.NoError(t, err)
	bin := filepath.Join(root, ".local", "test-bin")
	require.NoError(t, stack.Build(t.Context(), root, bin))
	address := testenv.Vhost(t)
	lent := rabbit.Topology{Queues: []rabbit.Queue{{Name: "orders", DeliveryLimit: 10}}}
	require.NoError(t, rabbit.Declare(t.Context(), config(address), lent))
	database := func() string { return testenv.Database(t).Config().ConnString() }
	env := environment{stack: stack.Settings{
		Root: root, BinDir: bin, LogDir: t.TempDir(), LogFormat: "console", AMQP: address,
		Reservation: database(), Hotel: database(), Payment: database(),
	}}
	env.giveBack, err = borrow(t.Context(), address)
	require.NoError(t, err)

	require.NoError(t, env.run(t.Context(), t.Output()))
	there, err := rabbit.Existing(t.Context(), config(address), declared())
	require.NoError(t, err)
	require.Empty(t, there)
	there, err = rabbit.Existing(t.Context(), config(address), lent)
	require.NoError(t, err)
	require.Equal(t, []string{"queue orders"}, there)
}

func TestBorrowRefusesWhatIsInUse(t *testing.T) {
	t.Parallel()
	address := testenv.Vhost(t)
	require.NoError(t, rabbit.Declare(t.Context(), config(address), rabbit.Topology{
		Queues: []rabbit.Queue{{Name: protocol.ReplyQueue("reservation"), DeliveryLimit: 10}},
	}))
	_, err := borrow(t.Context(), address)
	require.ErrorContains(t, err, "has already: queue "+protocol.ReplyQueue("reservation")+"\n")
}
