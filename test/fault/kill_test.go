package fault

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/dev/stack/stacktest"
)

// TestKillEveryDaemon places 200 reservations and kills each daemon in turn with
// SIGKILL while they are under way. Afterwards every one has ended as it has to,
// and the hotel's rooms and the payments' ledger agree with it.
func TestKillEveryDaemon(t *testing.T) {
	t.Parallel()
	const reservations = 200
	s := stacktest.Start(t)
	g := arrive(t, s, reservations)
	// Each kill comes when the work has got on, so that it hits sagas under way.
	for i, name := range stack.Daemons {
		g.awaitPlaced(t, (i+1)*reservations/(len(stack.Daemons)+2))
		t.Logf("killing %s with %d reservations pending", name, pending(t, s))
		require.NoError(t, s.Restart(t.Context(), name))
	}
	requireAllWell(t, s, g.served(t))
}
