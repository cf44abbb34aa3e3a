package fault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/stack/stacktest"
)

// A relay that is frozen in the middle of its work loses the lease to another. When it
// wakes up and still believes that it holds it, it does no harm: what it had in hand
// comes once more, at most.
func TestFrozenRelayWakesUpHarmless(t *testing.T) {
	t.Parallel()
	const rows, freezes = 15_000, 3
	r := newRoad(t)
	got := r.watch()
	relays := []*relayProcess{r.relay(), r.relay(), r.relay()}
	work := r.write(16, rows)
	for i := range freezes {
		got.await((i + 1) * rows / (freezes + 2))
		frozen := r.awaitHolder(0, relays...)
		frozen.freeze()
		start := time.Now()
		r.awaitHolder(0, others(relays, frozen)...)
		t.Logf("another relay has taken over after %v", time.Since(start).Round(time.Millisecond))
		got.await(got.distinct() + rows/20)
		frozen.wake()
		r.awaitMember(frozen)
	}
	work.done()
	got.requireAll()
	got.requireRepeated(r.tenures() - 1)
}

// awaitMember waits until the relay counts as alive again.
func (r *road) awaitMember(p *relayProcess) {
	r.Helper()
	require.Eventually(r, func() bool {
		return stacktest.Count(r.T, r.db, `SELECT count(*) FROM public.outbox_member
			WHERE split_part(holder, '/', 2)::integer = $1 AND seen_until > clock_timestamp()`, p.pid()) == 1
	}, patience, 10*time.Millisecond)
}

// A stop in the middle of the work waits for the confirms and leaves at once what it
// held to the other: nothing comes twice.
func TestStopInMidWindowRepeatsNothing(t *testing.T) {
	t.Parallel()
	const rows, stops = 10_000, 3
	r := newRoad(t)
	got := r.watch()
	relays := []*relayProcess{r.relay(), r.relay()}
	work := r.write(16, rows)
	for i := range stops {
		got.await((i + 1) * rows / (stops + 1))
		active := r.awaitHolder(0, relays...)
		active.stop() // fails the test where the exit code is not 0
		r.awaitHolder(0, others(relays, active)...)
		active.start()
	}
	work.done()
	got.requireAll()
	got.requireRepeated(r.tenures() - 1 - stops)
}

// Two relays share eight shards. When one is killed, the other has all of them once the
// leases have ended.
func TestShardsOfAKilledRelayMove(t *testing.T) {
	t.Parallel()
	const rows, shards = 15_000, 8
	r := newRoad(t)
	got := r.watch()
	a, b := r.relay("RELAY_SHARDS=8"), r.relay("RELAY_SHARDS=8")
	r.awaitShards(a, shards/2)
	r.awaitShards(b, shards/2)
	before := r.tenures()
	work := r.write(16, rows)
	got.await(rows / 4)
	a.kill()
	killed := time.Now()
	r.awaitShards(b, shards)
	t.Logf("the shards have moved after %v, the lease is %v", time.Since(killed).Round(time.Millisecond), lease)
	got.await(rows / 2)
	a.start()
	r.awaitShards(a, shards/2)
	r.awaitShards(b, shards/2)
	work.done()
	got.requireAll()
	got.requireRepeated(r.tenures() - before - shards/2) // half of them moved back in order
}

// awaitShards waits until the relay holds so many shards.
func (r *road) awaitShards(p *relayProcess, shards int) {
	r.Helper()
	require.Eventually(r, func() bool {
		return stacktest.Count(r.T, r.db, `SELECT count(*) FROM public.outbox_position
			WHERE split_part(holder, '/', 2)::integer = $1 AND lease_until > clock_timestamp()`, p.pid()) == shards
	}, patience, 10*time.Millisecond, "%d shards", shards)
}
