package blame

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// at is a time of the tests' clock, in seconds.
func at(seconds float64) time.Time {
	return time.Unix(1_000_000, 0).Add(time.Duration(seconds * float64(time.Second)))
}

func named(name string) Key { return KeyOf(name, nil) }

// failing has the message fail alone every five seconds from one time to another, and
// something happen before each failure. It returns what was said last.
func failing(b *State, name string, from, to float64, between func()) (v Verdict) {
	for s := from; s <= to; s += 5 {
		if s > from {
			between()
		}
		v = b.FailedAlone(named(name), at(s))
	}
	return v
}

func TestWhoIsToBlame(t *testing.T) {
	t.Parallel()
	others := func(b *State) func() { return func() { b.Committed() } }
	nobody := func(*State) func() { return func() {} }
	several := func(b *State) func() {
		return func() {
			b.FailedAlone(named("another"), at(0))
			b.FailedAlone(named("a third"), at(0))
		}
	}
	for name, c := range map[string]struct {
		between func(*State) func()
		to      float64
		want    Action
	}{
		"a minute, others commit":      {others, 60, SetAside},
		"less than a minute":           {others, 55, Hold},
		"ten minutes, nothing else":    {nobody, 600, SetAside},
		"less than ten minutes":        {nobody, 595, Hold},
		"an hour, several others fail": {several, 3600, GiveBack},
	} {
		b := New(Standard, 0)
		require.Equal(t, c.want, failing(b, "m", 0, c.to, c.between(b)).Do, name)
		require.Equal(t, c.want == GiveBack, b.Open(), name)
	}
}

func TestTheCircuit(t *testing.T) {
	t.Parallel()
	b := New(Standard, 0)
	require.Equal(t, Verdict{Do: Together}, b.Arrived(named("a")))
	require.Equal(t, Split, b.FailedTogether().Do)
	require.Equal(t, Verdict{Do: Hold, At: at(0.1)}, b.FailedAlone(named("a"), at(0)))
	require.Equal(t, Verdict{Do: Hold, At: at(0.1)}, b.Arrived(named("a")))
	require.Equal(t, Verdict{Do: Hold, At: at(0.7), Outage: true}, b.FailedAlone(named("a"), at(0.5)), "one is not several")
	require.Equal(t, Hold, b.FailedAlone(named("b"), at(1)).Do)
	require.Equal(t, Verdict{Do: GiveBack, At: at(2)}, b.FailedAlone(named("c"), at(1)))

	for _, v := range []Verdict{b.Arrived(named("a")), b.Arrived(named("new")), b.FailedTogether(), b.Unreached(at(1.5))} {
		require.Equal(t, Verdict{Do: GiveBack, At: at(2)}, v, "those under way change nothing")
	}
	now, pause := 2.0, 2.0
	for range 6 {
		require.Equal(t, Verdict{Do: GiveBack, At: at(now + pause)}, b.FailedAlone(named("p"), at(now)))
		now, pause = now+pause, min(2*pause, 10)
	}
	b.Committed(named("p"))
	require.False(t, b.Open())
	require.Equal(t, Together, b.Arrived(named("p")).Do)
	require.Equal(t, Hold, b.Arrived(named("a")).Do, "what is known stays known")
	require.Equal(t, Hold, b.FailedAlone(named("d"), at(now)).Do)
	require.Equal(t, Hold, b.FailedAlone(named("e"), at(now)).Do)
	require.Equal(t, GiveBack, b.FailedAlone(named("f"), at(now)).Do)
	b.Idle()
	require.False(t, b.Open())
}

func TestADatabaseThatCannotBeReachedOpensTheCircuit(t *testing.T) {
	t.Parallel()
	b := New(Standard, 0)
	require.Equal(t, Verdict{Do: Again, At: at(0.1)}, b.Unreached(at(0)))
	require.Equal(t, Verdict{Do: Again, At: at(0.7)}, b.Unreached(at(0.5)))
	require.Equal(t, Verdict{Do: GiveBack, At: at(2.5)}, b.Unreached(at(1.5)))
}

// Messages that were set aside before go back at once, whatever the circuit, and are no sign
// of an outage.
func TestThoseThatFailAgainOpenNothing(t *testing.T) {
	t.Parallel()
	b := New(Standard, 0)
	for i := range 30 {
		require.Equal(t, SetAside, b.FailedAgain(named(fmt.Sprint(i)), at(0)).Do)
	}
	require.False(t, b.Open())
	for _, name := range []string{"a", "b", "c"} {
		b.FailedAlone(named(name), at(1))
	}
	require.True(t, b.Open())
	require.Equal(t, SetAside, b.FailedAgain(named("0"), at(2)).Do)
	require.True(t, b.Open())
}

// What was under way when an outage began may still commit. That proves nothing against
// those that had failed by then: they open the circuit, and nobody is set aside.
func TestACommitUnderWayWhenAnOutageBeganProvesNothing(t *testing.T) {
	t.Parallel()
	r := Standard
	r.Crowd = 2
	b := New(r, 0)
	for _, name := range []string{"a", "b"} {
		require.Equal(t, Hold, b.FailedAlone(named(name), at(0)).Do)
	}
	b.Committed() // the one under way
	for _, name := range []string{"a", "b"} {
		require.Equal(t, Hold, b.FailedAlone(named(name), at(1)).Do)
	}
	for s := 2.0; s <= 3600; s += 5 {
		for _, name := range []string{"c", "a", "b"} {
			require.Equal(t, GiveBack, b.FailedAlone(named(name), at(s)).Do, "%s after %.0f s", name, s)
		}
	}
}

// Messages that failed while others committed open nothing when they fail in a row later.
func TestBadOnesAreNoOutage(t *testing.T) {
	t.Parallel()
	b := New(Standard, 0)
	for round := range 120 {
		for i := range 30 {
			v := b.FailedAlone(named(fmt.Sprint(i)), at(float64(5*round)))
			require.Equal(t, Hold, v.Do, "round %d, message %d", round, i)
			if round < 3 {
				b.Committed()
			}
		}
	}
	require.Equal(t, SetAside, b.FailedAlone(named("0"), at(600)).Do, "the queue is empty but for them")
}

// As many as the window holds do not keep the others out for ten minutes.
func TestACrowdIsJudgedAfterAMinute(t *testing.T) {
	t.Parallel()
	r := Standard
	r.Crowd = 4
	b := New(r, 0)
	for round := 0; round <= 60; round += 5 {
		for i := range r.Crowd {
			v := b.FailedAlone(named(fmt.Sprint(i)), at(float64(round)))
			require.Equal(t, round == 60, v.Do == SetAside, "after %d s", round)
			if round < 15 {
				b.Committed()
			}
		}
	}
}

// What lies between two attempts far apart is not known.
func TestALongTimeWithoutAnAttemptProvesLittle(t *testing.T) {
	t.Parallel()
	b := New(Standard, 0)
	b.FailedAlone(named("m"), at(0))
	b.Committed()
	require.Equal(t, Hold, b.FailedAlone(named("m"), at(500)).Do)
	b.Committed()
	b.FailedAlone(named("m"), at(2000)) // begins anew
	b.Committed()
	require.Equal(t, Hold, failing(b, "m", 2005, 2055, b.committedOnly).Do)
}

func (b *State) committedOnly() { b.Committed() }

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	r := Standard
	r.Memory = 3
	b := New(r, 0)
	for i := range 5 {
		b.FailedAlone(named(fmt.Sprint(i)), at(float64(i)))
		b.Committed()
	}
	require.Len(t, b.suspects, 3)
	require.Equal(t, Together, b.Arrived(named("1")).Do)
	require.Equal(t, Hold, b.Arrived(named("2")).Do)
}

func TestProbesTakeTurns(t *testing.T) {
	t.Parallel()
	b := New(Standard, 0)
	var keys []Key
	for i := range 10 {
		keys = append(keys, named(fmt.Sprint(i)))
	}
	now := 0.0
	for _, k := range keys[:3] {
		b.FailedAlone(k, at(now))
	}
	seen := map[int]bool{0: true, 1: true, 2: true}
	for range 7 {
		now += 10
		i := b.Candidate(keys)
		require.False(t, seen[i], "one that has not failed yet comes first")
		seen[i] = true
		b.FailedAlone(keys[i], at(now))
	}
	b.FailedAlone(keys[0], at(now+10))
	require.Equal(t, 1, b.Candidate(keys), "then the one whose failure is the longest ago")
}

func TestOneIDTwoBodiesAreTwoMessages(t *testing.T) {
	t.Parallel()
	require.NotEqual(t, KeyOf("a", []byte("bc")), KeyOf("ab", []byte("c")))
	require.NotEqual(t, KeyOf("a", []byte("1")), KeyOf("a", []byte("2")))
}

// Whatever ends the process, another one tries the others first: each is, some time or other.
func TestWhatCameAgainIsTriedInAnotherOrderByEachProcess(t *testing.T) {
	t.Parallel()
	first := map[string]bool{}
	for seed := range uint64(200) {
		b, earliest, name := New(Standard, seed), at(1), ""
		for i := range 10 {
			v := b.CameAgain(named(fmt.Sprint(i)), at(0))
			require.Equal(t, Hold, v.Do)
			require.False(t, v.At.Before(at(0)) || v.At.After(at(0.2)))
			if v.At.Before(earliest) {
				earliest, name = v.At, fmt.Sprint(i)
			}
		}
		first[name] = true
	}
	require.Len(t, first, 10)
}

func TestAnotherProcessProbesFromAnotherPlace(t *testing.T) {
	t.Parallel()
	keys := make([]Key, 10)
	for i := range keys {
		keys[i] = named(fmt.Sprint(i))
	}
	first := map[int]bool{}
	for seed := range uint64(20) {
		first[New(Standard, seed).Candidate(keys)] = true
	}
	require.Len(t, first, 10)
}
