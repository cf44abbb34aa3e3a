package relay

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestShare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, members, holders, want string }{
		{"one relay, one shard", "a", "-", "a[0]"},
		{"the other stands by", "a b", "b", "a[0] b[0]"},
		{"all free", "a b", "- - - -", "a[0 1] b[2 3]"},
		{"kept", "a b", "b a b a", "a[1 3] b[0 2]"},
		{"a third joins", "a b c", "a a a a b b b b", "a[0 1 2] b[4 5 6] c[3 7]"},
		{"one has left and still holds", "a c", "a a b b c c", "a[0 1 2] c[3 4 5]"},
		{"one has died", "a b", "- - b", "a[0 1] b[2]"},
		{"who has more keeps one more", "a b", "b b -", "a[2] b[0 1]"},
		{"more relays than shards", "a b c d e", "e b", "a[0] b[1] c[1] d[0] e[0]"},
		{"a shard of nobody has one in front of those who wait", "a b c", "-", "a[0] b[0] c[0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, m := range strings.Fields(c.members) {
				holders := strings.Fields(strings.ReplaceAll(c.holders, "-", "."))
				for i := range holders {
					holders[i] = strings.Trim(holders[i], ".")
				}
				got = append(got, fmt.Sprint(m, share(m, strings.Fields(c.members), holders)))
			}
			require.Equal(t, c.want, strings.Join(got, " "))
		})
	}
}

func TestShareCountsItselfIn(t *testing.T) {
	t.Parallel()
	require.Equal(t, []int{0, 1}, share("a", nil, []string{"", ""}), "its own row has expired")
	require.Equal(t, []int{0, 1}, share("a", []string{"b"}, []string{"a", "a", "b"}))
}

const maxShards = 8

// world is a database and its relays, each of which acts when the test says so.
type world struct {
	holders []string                // of each shard
	running map[string]map[int]bool // engines of each relay that is alive
	leaving map[string]map[int]bool // engines that were told to stop and drain
	moves   int                     // leases taken
}

func (w *world) members() []string {
	var all []string
	for m := range w.running {
		all = append(all, m)
	}
	slices.Sort(all)
	return all
}

func (w *world) join(m string) {
	if w.running[m] == nil {
		w.running[m], w.leaving[m] = map[int]bool{}, map[int]bool{}
	}
}

// die lets a relay vanish; its leases and its membership end at the same time.
func (w *world) die(m string) {
	delete(w.running, m)
	delete(w.leaving, m)
	for shard, holder := range w.holders {
		if holder == m {
			w.holders[shard] = ""
		}
	}
}

// look lets a relay compare its engines with its share.
func (w *world) look(m string) {
	wanted := share(m, w.members(), w.holders)
	for shard := range w.running[m] {
		if !slices.Contains(wanted, shard) {
			delete(w.running[m], shard)
			w.leaving[m][shard] = true
		}
	}
	for _, shard := range wanted {
		if !w.leaving[m][shard] {
			w.running[m][shard] = true
		}
	}
}

// drained lets an engine that was told to stop release its lease.
func (w *world) drained(m string, shard int) {
	if !w.leaving[m][shard] {
		return
	}
	delete(w.leaving[m], shard)
	if shard < len(w.holders) && w.holders[shard] == m {
		w.holders[shard] = ""
	}
}

// ask lets an engine ask for its lease.
func (w *world) ask(m string, shard int) {
	if w.running[m][shard] && shard < len(w.holders) && w.holders[shard] == "" {
		w.holders[shard] = m
		w.moves++
	}
}

// round lets every relay do all that it can, in the order of who.
func (w *world) round(who []string) {
	for _, m := range who {
		w.look(m)
	}
	for _, m := range who {
		for shard := range maxShards {
			w.drained(m, shard)
		}
	}
	for _, m := range who {
		for shard := range maxShards {
			w.ask(m, shard)
		}
	}
}

// drawWorld lets anything happen in any order: relays come and die, look late or
// often, drain slowly, and the number of shards changes.
func drawWorld(r *rapid.T) *world {
	w := &world{running: map[string]map[int]bool{}, leaving: map[string]map[int]bool{}}
	w.holders = make([]string, rapid.IntRange(1, maxShards).Draw(r, "shards"))
	relay := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
	for range rapid.IntRange(0, 60).Draw(r, "events") {
		m := relay.Draw(r, "who")
		shard := rapid.IntRange(0, maxShards-1).Draw(r, "shard")
		switch rapid.IntRange(0, 9).Draw(r, "event") {
		case 0:
			w.join(m)
		case 1:
			w.die(m)
		case 2:
			w.holders = make([]string, rapid.IntRange(1, maxShards).Draw(r, "shards"))
		case 3, 4, 5:
			if w.running[m] != nil {
				w.look(m)
			}
		case 6, 7:
			w.drained(m, shard)
		default:
			w.ask(m, shard)
		}
	}
	w.join(relay.Draw(r, "at least"))
	return w
}

// balanced says what is wrong with the world, if anything is.
func (w *world) balanced(r *rapid.T) {
	counts := map[string]int{}
	for shard, holder := range w.holders {
		require.NotEmpty(r, holder, "shard %d has a runner", shard)
		counts[holder]++
	}
	for _, m := range w.members() {
		least := len(w.holders) / len(w.running)
		require.GreaterOrEqual(r, counts[m], least, m)
		require.LessOrEqual(r, counts[m], (len(w.holders)+len(w.running)-1)/len(w.running), m)
	}
}

func TestSharesSettleAndStay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		w := drawWorld(r)
		// The first round may still see engines drain that were told to stop before.
		for range 3 {
			w.round(rapid.Permutation(w.members()).Draw(r, "order"))
		}
		w.balanced(r)
		before, moves := slices.Clone(w.holders), w.moves
		for range 3 {
			w.round(rapid.Permutation(w.members()).Draw(r, "order"))
		}
		require.Equal(r, before, w.holders, "what is settled stays")
		require.Equal(r, moves, w.moves)
	})
}

// Nobody is given a shard that another one shall hold, whoever it is that computes it,
// and every shard is given to somebody.
func TestSharesFitTogether(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		w := drawWorld(r)
		runners := make([]int, len(w.holders))
		for _, m := range w.members() {
			for _, shard := range share(m, w.members(), w.holders) {
				runners[shard]++
			}
		}
		for _, n := range runners {
			require.Positive(r, n)
			if len(w.running) <= len(w.holders) {
				require.Equal(r, 1, n)
			}
		}
	})
}

// One step of somebody on the way to the result leaves the result as it is, so a lease
// moves only once, in whatever order the relays act.
func TestSharesSettleStraight(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		w := drawWorld(r)
		goal := assign(w.members(), w.holders)
		for range 200 {
			m := rapid.SampledFrom(w.members()).Draw(r, "who")
			shard := rapid.IntRange(0, len(w.holders)-1).Draw(r, "shard")
			if w.holders[shard] == m && goal[shard] != m {
				w.holders[shard] = ""
			} else if w.holders[shard] == "" && goal[shard] == m {
				w.holders[shard] = m
			}
			require.Equal(r, goal, assign(w.members(), w.holders))
		}
	})
}
