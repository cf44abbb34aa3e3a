package inbox

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

func named(name string) key { return keyOf(Delivery{MessageID: name}) }

// failing has the message fail alone every five seconds from one time to another, and
// something happen before each failure. It returns what was said last.
func failing(b *blame, name string, from, to float64, between func()) (v verdict) {
	for s := from; s <= to; s += 5 {
		if s > from {
			between()
		}
		v = b.failedAlone(named(name), at(s))
	}
	return v
}

func TestWhoIsToBlame(t *testing.T) {
	t.Parallel()
	others := func(b *blame) func() { return func() { b.committed() } }
	nobody := func(*blame) func() { return func() {} }
	several := func(b *blame) func() {
		return func() {
			b.failedAlone(named("another"), at(0))
			b.failedAlone(named("a third"), at(0))
		}
	}
	for name, c := range map[string]struct {
		between func(*blame) func()
		to      float64
		want    action
	}{
		"a minute, others commit":      {others, 60, setAside},
		"less than a minute":           {others, 55, hold},
		"ten minutes, nothing else":    {nobody, 600, setAside},
		"less than ten minutes":        {nobody, 595, hold},
		"an hour, several others fail": {several, 3600, giveBack},
	} {
		b := newBlame(standardRule)
		require.Equal(t, c.want, failing(b, "m", 0, c.to, c.between(b)).do, name)
		require.Equal(t, c.want == giveBack, b.open(), name)
	}
}

func TestTheCircuit(t *testing.T) {
	t.Parallel()
	b := newBlame(standardRule)
	require.Equal(t, verdict{do: together}, b.arrived(named("a")))
	require.Equal(t, split, b.failedTogether().do)
	require.Equal(t, verdict{do: hold, at: at(0.1)}, b.failedAlone(named("a"), at(0)))
	require.Equal(t, verdict{do: hold, at: at(0.1)}, b.arrived(named("a")))
	require.Equal(t, verdict{do: hold, at: at(0.7), outage: true}, b.failedAlone(named("a"), at(0.5)), "one is not several")
	require.Equal(t, hold, b.failedAlone(named("b"), at(1)).do)
	require.Equal(t, verdict{do: giveBack, at: at(2)}, b.failedAlone(named("c"), at(1)))

	for _, v := range []verdict{b.arrived(named("a")), b.arrived(named("new")), b.failedTogether(), b.unreached(at(1.5))} {
		require.Equal(t, verdict{do: giveBack, at: at(2)}, v, "those under way change nothing")
	}
	now, pause := 2.0, 2.0
	for range 6 {
		require.Equal(t, verdict{do: giveBack, at: at(now + pause)}, b.failedAlone(named("p"), at(now)))
		now, pause = now+pause, min(2*pause, 10)
	}
	b.committed(named("p"))
	require.False(t, b.open())
	require.Equal(t, together, b.arrived(named("p")).do)
	require.Equal(t, hold, b.arrived(named("a")).do, "what is known stays known")
	require.Equal(t, hold, b.failedAlone(named("d"), at(now)).do)
	require.Equal(t, hold, b.failedAlone(named("e"), at(now)).do)
	require.Equal(t, giveBack, b.failedAlone(named("f"), at(now)).do)
	b.idle()
	require.False(t, b.open())
}

func TestADatabaseThatCannotBeReachedOpensTheCircuit(t *testing.T) {
	t.Parallel()
	b := newBlame(standardRule)
	require.Equal(t, verdict{do: again, at: at(0.1)}, b.unreached(at(0)))
	require.Equal(t, verdict{do: again, at: at(0.7)}, b.unreached(at(0.5)))
	require.Equal(t, verdict{do: giveBack, at: at(2.5)}, b.unreached(at(1.5)))
}

// Messages that were set aside before go back at once, whatever the circuit, and are no sign
// of an outage.
func TestThoseThatFailAgainOpenNothing(t *testing.T) {
	t.Parallel()
	b := newBlame(standardRule)
	for i := range 30 {
		require.Equal(t, setAside, b.failedAgain(named(fmt.Sprint(i)), at(0)).do)
	}
	require.False(t, b.open())
	for _, name := range []string{"a", "b", "c"} {
		b.failedAlone(named(name), at(1))
	}
	require.True(t, b.open())
	require.Equal(t, setAside, b.failedAgain(named("0"), at(2)).do)
	require.True(t, b.open())
}

// What was under way when an outage began may still commit. That proves nothing against
// those that had failed by then: they open the circuit, and nobody is set aside.
func TestACommitUnderWayWhenAnOutageBeganProvesNothing(t *testing.T) {
	t.Parallel()
	r := standardRule
	r.crowd = 2
	b := newBlame(r)
	for _, name := range []string{"a", "b"} {
		require.Equal(t, hold, b.failedAlone(named(name), at(0)).do)
	}
	b.committed() // the one under way
	for _, name := range []string{"a", "b"} {
		require.Equal(t, hold, b.failedAlone(named(name), at(1)).do)
	}
	for s := 2.0; s <= 3600; s += 5 {
		for _, name := range []string{"c", "a", "b"} {
			require.Equal(t, giveBack, b.failedAlone(named(name), at(s)).do, "%s after %.0f s", name, s)
		}
	}
}

// Messages that failed while others committed open nothing when they fail in a row later.
func TestBadOnesAreNoOutage(t *testing.T) {
	t.Parallel()
	b := newBlame(standardRule)
	for round := range 120 {
		for i := range 30 {
			v := b.failedAlone(named(fmt.Sprint(i)), at(float64(5*round)))
			require.Equal(t, hold, v.do, "round %d, message %d", round, i)
			if round < 3 {
				b.committed()
			}
		}
	}
	require.Equal(t, setAside, b.failedAlone(named("0"), at(600)).do, "the queue is empty but for them")
}

// As many as the window holds do not keep the others out for ten minutes.
func TestACrowdIsJudgedAfterAMinute(t *testing.T) {
	t.Parallel()
	r := standardRule
	r.crowd = 4
	b := newBlame(r)
	for round := 0; round <= 60; round += 5 {
		for i := range r.crowd {
			v := b.failedAlone(named(fmt.Sprint(i)), at(float64(round)))
			require.Equal(t, round == 60, v.do == setAside, "after %d s", round)
			if round < 15 {
				b.committed()
			}
		}
	}
}

// What lies between two attempts far apart is not known.
func TestALongTimeWithoutAnAttemptProvesLittle(t *testing.T) {
	t.Parallel()
	b := newBlame(standardRule)
	b.failedAlone(named("m"), at(0))
	b.committed()
	require.Equal(t, hold, b.failedAlone(named("m"), at(500)).do)
	b.committed()
	b.failedAlone(named("m"), at(2000)) // begins anew
	b.committed()
	require.Equal(t, hold, failing(b, "m", 2005, 2055, b.committedOnly).do)
}

func (b *blame) committedOnly() { b.committed() }

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	r := standardRule
	r.memory = 3
	b := newBlame(r)
	for i := range 5 {
		b.failedAlone(named(fmt.Sprint(i)), at(float64(i)))
		b.committed()
	}
	require.Len(t, b.suspects, 3)
	require.Equal(t, together, b.arrived(named("1")).do)
	require.Equal(t, hold, b.arrived(named("2")).do)
}

func TestProbesTakeTurns(t *testing.T) {
	t.Parallel()
	b := newBlame(standardRule)
	var keys []key
	for i := range 10 {
		keys = append(keys, named(fmt.Sprint(i)))
	}
	now := 0.0
	for _, k := range keys[:3] {
		b.failedAlone(k, at(now))
	}
	seen := map[int]bool{0: true, 1: true, 2: true}
	for range 7 {
		now += 10
		i := b.candidate(keys)
		require.False(t, seen[i], "one that has not failed yet comes first")
		seen[i] = true
		b.failedAlone(keys[i], at(now))
	}
	b.failedAlone(keys[0], at(now+10))
	require.Equal(t, 1, b.candidate(keys), "then the one whose failure is the longest ago")
}

func TestOneIDTwoBodiesAreTwoMessages(t *testing.T) {
	t.Parallel()
	require.NotEqual(t, keyOf(Delivery{MessageID: "a", Body: []byte("bc")}), keyOf(Delivery{MessageID: "ab", Body: []byte("c")}))
	require.NotEqual(t, keyOf(Delivery{MessageID: "a", Body: []byte("1")}), keyOf(Delivery{MessageID: "a", Body: []byte("2")}))
}
