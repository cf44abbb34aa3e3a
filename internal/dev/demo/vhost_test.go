package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/dev/twophase"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == CoordinateCommand {
		if err := twophase.Coordinate(context.Background(), os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	testenv.Main(m)
}

func config(address string) rabbit.Config {
	return rabbit.Config{Name: "demo-test", URL: func(context.Context) (string, error) { return address, nil }}
}

// environmentAt has databases of its own, and borrows the virtual host.
func environmentAt(t *testing.T, address string) environment {
	t.Helper()
	env := databases(t)
	env.stack.AMQP = address
	var err error
	env.giveBack, err = borrow(t.Context(), address)
	require.NoError(t, err)
	return env
}

// databases are an environment without a virtual host.
func databases(t *testing.T) environment {
	t.Helper()
	testenv.Connections(t, 40)
	root, err := services.Root()
	require.NoError(t, err)
	bin := filepath.Join(root, ".local", "test-bin")
	require.NoError(t, stack.Build(t.Context(), root, bin))
	database := func() string { return testenv.Database(t).Config().ConnString() }
	return environment{stack: stack.Settings{
		Root: root, BinDir: bin, LogDir: t.TempDir(), LogFormat: "console",
		Reservation: database(), Hotel: database(), Payment: database(),
	}}
}

// The whole demo, in a virtual host that somebody has lent.
func TestDemoLeavesABorrowedVirtualHostAsItWas(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the demo takes seconds")
	}
	address := testenv.Vhost(t)
	lent := rabbit.Topology{Queues: []rabbit.Queue{{Name: "orders", DeliveryLimit: 10}}}
	require.NoError(t, rabbit.Declare(t.Context(), config(address), lent))
	env := environmentAt(t, address)

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
