package demo

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/testenv"
)

// The whole demo of a composed answer. It checks for itself what it promises.
func TestDemoOfComposition(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the demo takes seconds")
	}
	testenv.Connections(t, 40)
	root, err := services.Root()
	require.NoError(t, err)
	bin := filepath.Join(root, ".local", "test-bin")
	require.NoError(t, stack.Build(t.Context(), root, bin))
	database := func() string { return testenv.Database(t).Config().ConnString() }
	env := environment{giveBack: keep, stack: stack.Settings{
		Root: root, BinDir: bin, LogDir: t.TempDir(), LogFormat: "console", AMQP: testenv.Vhost(t),
		Reservation: database(), Hotel: database(), Payment: database(),
	}}
	var told strings.Builder
	require.NoError(t, env.compose(t.Context(), &told))
	require.Contains(t, told.String(), `"why": "timeout"`)
}
