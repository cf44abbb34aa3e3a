package fault

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRelayUnderKills lets writers commit and roll back while two relays publish, and
// kills the one that holds the lease, time and again, as a crash does. Everything that
// is committed arrives, nothing else does, each key keeps its order, and each kill
// repeats a window at most.
//
// ROWS, WRITERS and KILLS in the environment make it a long run: `make soak`.
func TestRelayUnderKills(t *testing.T) {
	t.Parallel()
	soak(t, number(t, "ROWS", 10_000), number(t, "WRITERS", 16), number(t, "KILLS", 5))
}

// Who is not disturbed repeats nothing.
func TestRelayUndisturbedRepeatsNothing(t *testing.T) {
	t.Parallel()
	soak(t, 5_000, 16, 0)
}

func number(t *testing.T, variable string, usual int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, variable)
	return n
}

func soak(t *testing.T, rows, writers, kills int) {
	start := time.Now()
	r := newRoad(t)
	got := r.watch()
	relays := []*relayProcess{r.relay(), r.relay()}
	work := r.writeBefore(got, writers, rows)
	for i := range kills {
		await(t, got, (i+1)*rows/(kills+1))
		victim := r.awaitHolder(0, relays...)
		victim.kill()
		victim.start()
	}
	work.done()
	await(t, got, rows)
	got.requireAll()
	got.requireRepeated(r.tenures() - 1)
	arrived, repeated := got.count()
	t.Logf("%d rows by %d writers in %v, %d kills: %d repeated, none lost, none out of order",
		arrived-repeated, writers, time.Since(start).Round(time.Second), kills, repeated)
}

// await waits for as long as more comes.
func await(t *testing.T, got *witness, distinct int) {
	t.Helper()
	for before := -1; ; {
		now := got.distinct()
		if now >= distinct {
			return
		}
		require.Greater(t, now, before, "nothing arrives any more")
		before = now
		got.await(min(distinct, now+1))
	}
}
