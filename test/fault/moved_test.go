package fault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
	moved, before := time.Now(), settled()
	require.Eventually(t, func() bool { return settled() > before }, patience, 50*time.Millisecond)
	t.Logf("the first reservation ended %v after the move", time.Since(moved).Round(time.Millisecond))
	for _, name := range []string{"relay", "orchestrator", "reservation", "hotel", "payment"} {
		awaitHealth(t, s, name)
	}
	t.Logf("all programs were well after %v", time.Since(moved).Round(time.Millisecond))
	ids := g.leave(t)
	recovered(t, s, ids, time.Now())
}
