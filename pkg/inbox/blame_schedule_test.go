package inbox

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// world is a queue, a database that fails at times, and a consumer that does what the
// rule says. It has the shape of process.go and keep.go, without I/O.
type world struct {
	*rapid.T
	draw    *rand.Rand // what need not be made small when a schedule fails
	b       *blame
	now     time.Time
	outages []outage
	queue   []*letter // in order; held ones keep their place
	ended   []*letter
}

type outage struct{ from, to time.Time }

type letter struct {
	key     key
	arrives time.Time
	poison  bool
	first   time.Time // failure alone
	aside   bool
}

const window, batchSize = 40, 20

func (w *world) down() bool {
	for _, o := range w.outages {
		if !w.now.Before(o.from) && w.now.Before(o.to) {
			return true
		}
	}
	return false
}

// attempt takes some time and says whether the letters commit.
func (w *world) attempt(letters ...*letter) bool {
	w.now = w.now.Add(time.Duration(1+w.draw.IntN(60)) * time.Millisecond)
	good := !w.down()
	for _, l := range letters {
		good = good && !l.poison
	}
	return good
}

func (w *world) end(l *letter) {
	for i := range w.queue {
		if w.queue[i] == l {
			w.queue = append(w.queue[:i:i], w.queue[i+1:]...)
			break
		}
	}
	w.ended = append(w.ended, l)
}

func (w *world) commit(letters ...*letter) {
	for _, l := range letters {
		w.b.committed(l.key)
		w.end(l)
	}
}

func (w *world) fail(l *letter) verdict {
	if l.first.IsZero() {
		l.first = w.now
	}
	v := w.b.failedAlone(l.key, w.now)
	if v.do == setAside {
		if w.b.open() && !w.b.crowded() {
			w.Fatalf("set aside while the circuit is open")
		}
		if !l.poison {
			w.Fatalf("a good message is set aside, %v after its first failure", w.now.Sub(l.first))
		}
		if w.now.Sub(l.first) < w.b.alone {
			w.Fatalf("set aside %v after the first failure", w.now.Sub(l.first))
		}
		l.aside = true
		w.b.forget(l.key)
		w.end(l)
	}
	return v
}

// divide tries letters together and by halves; false where the circuit opened.
func (w *world) divide(letters []*letter) bool {
	if len(letters) == 0 {
		return true
	}
	if w.attempt(letters...) {
		w.commit(letters...)
		return true
	}
	if len(letters) == 1 {
		return w.fail(letters[0]).do != giveBack
	}
	if w.b.failedTogether().do == giveBack {
		return false
	}
	half := len(letters) / 2
	return w.divide(letters[:half:half]) && w.divide(letters[half:])
}

func (w *world) arrived() []*letter {
	var there []*letter
	for _, l := range w.queue {
		if !l.arrives.After(w.now) && len(there) < window {
			there = append(there, l)
		}
	}
	return there
}

// step is a probe, or the held letters that are due and a batch of the others.
func (w *world) step() {
	there := w.arrived()
	if w.b.open() {
		w.now = later(w.now, w.b.next)
		if len(there) == 0 {
			w.b.idle()
			return
		}
		keys := make([]key, len(there))
		for i, l := range there {
			keys[i] = l.key
		}
		l := there[w.b.candidate(keys)]
		if w.attempt(l) {
			w.commit(l)
		} else {
			w.fail(l)
		}
		return
	}
	var others []*letter
	next := w.now.Add(time.Second)
	for _, l := range there {
		v := w.b.arrived(l.key)
		switch {
		case v.do == giveBack:
			return
		case v.do == together && len(others) < batchSize:
			others = append(others, l)
		case v.do == hold && !v.at.After(w.now):
			if w.attempt(l) {
				w.commit(l)
			} else {
				w.fail(l)
			}
		case v.do == hold && v.at.Before(next):
			next = v.at
		}
	}
	if len(others) == 0 {
		w.now = later(w.now, next)
		return
	}
	if !w.b.open() {
		w.divide(others)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Whatever the outages are, as long as each is shorter than a minute or nobody commits in
// it: all good messages are done, all bad ones are set aside, none of them before its minute.
func TestNoGoodMessageIsBlamedForAnOutage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		r := standardRule
		r.crowd = batchSize
		w := &world{T: t, draw: rand.New(rand.NewPCG(seed, 0)), b: newBlame(r), now: at(0)}
		over := at(0)
		for range rapid.IntRange(0, 3).Draw(t, "outages") {
			from := over.Add(time.Duration(rapid.IntRange(0, 200_000).Draw(t, "up")) * time.Millisecond)
			length := rapid.OneOf(rapid.IntRange(10, 59_000), rapid.IntRange(60_000, 3_600_000)).Draw(t, "down")
			to := from.Add(time.Duration(length) * time.Millisecond)
			w.outages = append(w.outages, outage{from, to})
			over = to.Add(time.Minute)
		}
		// Good ones come all the time, and for half an hour after the last outage.
		every := time.Duration(rapid.IntRange(500, 5_000).Draw(t, "every")) * time.Millisecond
		bad := rapid.IntRange(0, 12).Draw(t, "one bad in")
		for now := at(0); now.Before(over.Add(30 * time.Minute)); now = now.Add(every) {
			l := &letter{key: named(fmt.Sprint(len(w.queue))), arrives: now}
			if now.Before(over) {
				l.poison = bad > 0 && w.draw.IntN(4*bad) == 0
			}
			w.queue = append(w.queue, l)
			if len(w.queue) > 400 {
				every = time.Minute // a long outage is not worth more
			}
		}
		limit := over.Add(6 * time.Hour)
		for len(w.queue) > 0 && w.now.Before(limit) {
			w.step()
		}
		if len(w.queue) > 0 {
			t.Fatalf("%d messages are neither done nor set aside", len(w.queue))
		}
		for _, l := range w.ended {
			if l.poison != l.aside {
				t.Fatalf("poison %v, set aside %v", l.poison, l.aside)
			}
		}
	})
}
