// Package stacktest gives a test the five daemons with databases and a virtual
// host of their own, and speaks to them as a client of the reservation service
// and as a reader of the databases.
package stacktest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/testenv"
)

// Stack is the running daemons and the pools of their databases.
type Stack struct {
	*stack.Stack
	// The pools lead to the databases directly, proxies or not.
	Reservation, Hotel, Payment *pgxpool.Pool
	// AMQP is the URL of the virtual host, leading there directly.
	AMQP string
}

// Start builds the daemons once a process, starts them and waits until they are
// ready. They stop when the test ends; one that does not stop in order fails the
// test. When the test has failed, the ends of the logs are printed.
func Start(t *testing.T) *Stack {
	t.Helper()
	return StartAfter(t, func(*Stack) {})
}

// StartAfter is [Start] after arrange has had its way with the databases, which are empty.
func StartAfter(t *testing.T, arrange func(*Stack)) *Stack {
	t.Helper()
	s, settings := prepare(t)
	arrange(s)
	s.launch(t, settings)
	require.NoError(t, s.Ready(t.Context()))
	return s
}

// StartSet is [Start] with settings that change has had its way with.
func StartSet(t *testing.T, change func(*stack.Settings)) *Stack {
	t.Helper()
	s, settings := prepare(t)
	change(&settings)
	s.launch(t, settings)
	require.NoError(t, s.Ready(t.Context()))
	return s
}

// StartOn is [Start] with a broker that the test has brought, and with the databases and all
// their connections on the server that testenv found.
func StartOn(t *testing.T, amqp string) *Stack {
	t.Helper()
	s, settings := prepareOn(t, amqp)
	s.launch(t, settings)
	require.NoError(t, s.Ready(t.Context()))
	return s
}

// prepare makes the databases and the virtual host, and what the daemons need to
// know of them.
func prepare(t *testing.T) (*Stack, stack.Settings) {
	t.Helper()
	return prepareOn(t, testenv.Vhost(t))
}

func prepareOn(t *testing.T, amqp string) (*Stack, stack.Settings) {
	t.Helper()
	testenv.Connections(t, 40) // five daemons' and the three pools'
	s := &Stack{
		Reservation: testenv.Database(t),
		Hotel:       testenv.Database(t),
		Payment:     testenv.Database(t),
		AMQP:        amqp,
	}
	return s, s.prepare(t)
}

func (s *Stack) prepare(t *testing.T) stack.Settings {
	t.Helper()
	bin, err := built()
	require.NoError(t, err)
	root, err := services.Root()
	require.NoError(t, err)
	return stack.Settings{
		Root: root, BinDir: bin, LogDir: t.TempDir(), LogFormat: "console", AMQP: s.AMQP,
		Reservation: s.Reservation.Config().ConnString(),
		Hotel:       s.Hotel.Config().ConnString(),
		Payment:     s.Payment.Config().ConnString(),
	}
}

func (s *Stack) launch(t *testing.T, settings stack.Settings) {
	t.Helper()
	var err error
	s.Stack, err = stack.Launch(t.Context(), settings)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop the daemons: %v", err)
		}
		if t.Failed() {
			s.printLogs(t)
		}
	})
}

// built compiles the daemons into a directory that is kept between runs.
var built = sync.OnceValues(func() (string, error) {
	root, err := services.Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, ".local", "test-bin")
	return dir, stack.Build(context.Background(), root, dir)
})

func (s *Stack) printLogs(t *testing.T) {
	t.Helper()
	const most = 6 << 10
	for _, name := range s.Programs() {
		text, err := os.ReadFile(s.LogFile(name))
		if err != nil {
			t.Log(err)
			continue
		}
		t.Logf("%s:\n%s", name, text[max(0, len(text)-most):])
	}
}

// Count runs a query that counts something.
func Count(t *testing.T, db *pgxpool.Pool, query string, args ...any) int {
	t.Helper()
	var n int
	require.NoError(t, db.QueryRow(t.Context(), query, args...).Scan(&n), query)
	return n
}
