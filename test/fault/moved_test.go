package fault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack"
	"go.example/saga/internal/dev/stack/stacktest"
)

// Databases and broker move to other addresses under load, and the files that name them are
// written anew. All five programs follow without a restart, and every saga ends well.
func TestAllProgramsFollowTheirAddresses(t *testing.T) {
	t.Parallel()
	s, move := stacktest.StartToMove(t)
	g := keepComing(t, s, 10)
	settled := func() int {
		return stacktest.Count(t, s.Reservation, `SELECT count(*) FROM reservation WHERE status <> 'PENDING'`)
	}
	require.Eventually(t, func() bool { return settled() > 10 }, patience, 50*time.Millisecond)
	move()
	followed(t, s, g, settled)
}

// followed waits until reservations end again and all programs are well, and says how long that
// took. Then the guests leave, and all must have ended well.
func followed(t *testing.T, s *stacktest.Stack, g *steadyGuests, settled func() int) {
	t.Helper()
	since, before := time.Now(), settled()
	require.Eventually(t, func() bool { return settled() > before }, patience, 50*time.Millisecond)
	t.Logf("the first reservation ended after %v", time.Since(since).Round(time.Millisecond))
	for _, name := range stack.Daemons {
		awaitHealth(t, s, name)
	}
	t.Logf("all programs were well after %v", time.Since(since).Round(time.Millisecond))
	recovered(t, s, g.leave(t), time.Now())
}
