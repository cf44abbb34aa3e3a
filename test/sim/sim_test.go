package sim_test

import (
	"flag"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/test/sim"
)

var (
	// Each fault comes about some ten times in a thousand schedules, the rarest. TestMutants
	// plays ten times as many without the race detector, which makes them ten times as slow.
	seeds = flag.Uint64("seeds", 5_000, "how many schedules to run")
	from  = flag.Uint64("from", 1, "the first seed")
)

// TestSchedules runs a part of what `make sim` runs, and holds that the schedules
// have everything in them that they are to survive.
func TestSchedules(t *testing.T) {
	t.Parallel()
	tally, violation := sim.Run(t.Context(), sim.Options{From: *from, Seeds: *seeds, Workers: runtime.GOMAXPROCS(0)})
	if violation != nil {
		t.Fatal(violation)
	}
	require.EqualValues(t, *seeds, tally.Schedules)
	require.Empty(t, tally.Missing(), "these never came about")
	require.Greater(t, tally.Completed, tally.Schedules/5)
	require.Greater(t, tally.Aborted, tally.Schedules/5)
}

// TestSchedulesOfAQueue holds the same of a queue and its consumers.
func TestSchedulesOfAQueue(t *testing.T) {
	t.Parallel()
	tally, violation := sim.RunInbox(t.Context(), sim.Options{From: *from, Seeds: *seeds / 10, Workers: runtime.GOMAXPROCS(0)})
	if violation != nil {
		t.Fatal(violation)
	}
	require.EqualValues(t, *seeds/10, tally.Schedules)
	require.Empty(t, tally.Missing(), "these never came about")
}

// TestASeedIsASchedule holds that a seed always plays the same.
func TestASeedIsASchedule(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 50; seed++ {
		once, _ := sim.Tell(seed)
		again, _ := sim.Tell(seed)
		require.Equal(t, once, again)
		once, _ = sim.TellInbox(seed)
		again, _ = sim.TellInbox(seed)
		require.Equal(t, once, again)
	}
}

// FuzzSchedules looks for schedules by what they make the core do, where seeds look
// for them blindly.
func FuzzSchedules(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{3, 3, 7, 4, 1, 0, 2, 9, 255, 200, 128, 255, 64, 32, 255, 255, 0, 7, 6, 5, 4, 3, 2, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		if v := sim.Play(script); v != nil {
			t.Fatal(v)
		}
		if v := sim.PlayInbox(script); v != nil {
			t.Fatal(v)
		}
	})
}
