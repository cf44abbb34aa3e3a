package blame

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Rule has the numbers of the table in the package's documentation.
type Rule struct {
	Alone    time.Duration // of failing alone while others commit: the message is set aside
	Quiet    time.Duration // the same on an otherwise empty queue
	Distinct int           // so many different messages that fail alone in a row open the circuit
	Retry    Pauses        // between two attempts of one message
	Probe    Pauses        // between two probes of an open circuit
	Crowd    int           // so many held messages leave the others no room
	Memory   int           // how many messages are remembered
	Scatter  time.Duration // in which those are tried that were delivered before
}

// Standard is what consumers use. How many are a crowd depends on the size of their batches.
var Standard = Rule{
	Alone:    time.Minute,
	Quiet:    10 * time.Minute,
	Distinct: 3,
	Retry:    Pauses{First: 100 * time.Millisecond, Max: 10 * time.Second},
	Probe:    Pauses{First: time.Second, Max: 10 * time.Second},
	Crowd:    100,
	Memory:   2000,
	Scatter:  200 * time.Millisecond,
}

// Pauses double from First to Max.
type Pauses struct{ First, Max time.Duration }

func (p Pauses) after(n int) time.Duration {
	pause := p.First
	for ; n > 0 && pause < p.Max; n-- {
		pause *= 2
	}
	return min(pause, p.Max)
}

// Key is a message whatever session delivers it.
type Key [sha256.Size]byte

// KeyOf has the body in it as well: an id may be used twice.
func KeyOf(id string, body []byte) Key {
	text := binary.AppendUvarint(nil, uint64(len(id)))
	return sha256.Sum256(append(append(text, id...), body...))
}

// Action is what to do with what was tried.
type Action int

const (
	// Together: try it in a batch.
	Together Action = iota
	// Split: try the halves.
	Split
	// Hold: try it alone, not before the verdict's time. It stays unacknowledged.
	Hold
	// Again: try the same again at the verdict's time.
	Again
	// SetAside: it is to blame.
	SetAside
	// GiveBack: the circuit is open. End the session; probe at the verdict's time.
	GiveBack
)

// Verdict is what the rule says.
type Verdict struct {
	Do Action
	At time.Time
	// Outage: the message failed before, and nobody has committed since.
	Outage bool
}

// suspect is a message that has failed alone.
type suspect struct {
	failures    int
	gaps        int // between failures in which others committed
	last, next  time.Time
	commits     uint64 // of all messages, as of last
	among, lone time.Duration
}

// proven says that others have committed between its failures, and more than once: some
// that were under way when an outage began commit too. It fails for a reason of its own.
func (s *suspect) proven() bool { return s.gaps > 1 }

// State is what is known of messages, and the circuit. It is not safe for concurrent use.
type State struct {
	Rule
	suspects  map[Key]*suspect
	commits   uint64 // attempts that committed work
	streak    map[Key]bool
	unreaches int
	opened    time.Time // zero: the circuit is closed
	probes    int
	next      time.Time // of the next probe
	seed      uint64
}

// New knows nothing. Each process has another seed.
func New(r Rule, seed uint64) *State {
	return &State{Rule: r, seed: seed, suspects: map[Key]*suspect{}, streak: map[Key]bool{}}
}

// Suspects says whether any message is known to have failed alone.
func (b *State) Suspects() bool { return len(b.suspects) > 0 }

// Opened is since when the circuit is open.
func (b *State) Opened() time.Time { return b.opened }

// NextProbe is when one is due, while the circuit is open.
func (b *State) NextProbe() time.Time { return b.next }

// Open says whether the circuit is.
func (b *State) Open() bool { return !b.opened.IsZero() }

// Arrived says what to do with a message that the broker has delivered.
func (b *State) Arrived(k Key) Verdict {
	if b.Open() {
		return Verdict{Do: GiveBack, At: b.next}
	}
	if s := b.suspects[k]; s != nil {
		return Verdict{Do: Hold, At: s.next}
	}
	return Verdict{Do: Together}
}

// CameAgain says when a message is tried, alone, that was delivered before, here or elsewhere,
// and is not done. One of those may have ended the process that had it in hand. So it takes
// no others with it, and they are tried in another order by each process: before it as often
// as after it.
func (b *State) CameAgain(k Key, now time.Time) Verdict {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(k[:], b.seed))
	place := binary.BigEndian.Uint64(sum[:]) % uint64(b.Scatter)
	return Verdict{Do: Hold, At: now.Add(time.Duration(place))}
}

// Committed is told of work that is durable; of a message that was tried alone with its
// key. Messages that were set aside are no work.
func (b *State) Committed(keys ...Key) {
	b.Forget(keys...)
	b.commits++
	b.close()
}

// Idle is told that the queue was empty when a probe was due: there is nothing to protect.
func (b *State) Idle() { b.close() }

func (b *State) close() {
	clear(b.streak)
	b.unreaches, b.opened, b.probes = 0, time.Time{}, 0
}

// Unreached is told that no transaction could be begun: no message was tried.
func (b *State) Unreached(now time.Time) Verdict {
	b.unreaches++
	if b.Open() || b.unreaches >= b.Distinct {
		return b.suspend(now)
	}
	return Verdict{Do: Again, At: now.Add(b.Retry.after(b.unreaches - 1))}
}

// FailedTogether is told that a batch of several failed.
func (b *State) FailedTogether() Verdict {
	if b.Open() {
		return Verdict{Do: GiveBack, At: b.next}
	}
	return Verdict{Do: Split}
}

// FailedAlone is told that a message failed with no other in its transaction.
func (b *State) FailedAlone(k Key, now time.Time) Verdict {
	s := b.suspect(k, now)
	outage := s.failures > 0 && b.commits == s.commits
	b.observe(s, now)
	if !s.proven() {
		b.streak[k] = true
	}
	s.failures++
	s.last, s.next = now, now.Add(b.Retry.after(s.failures-1))
	s.commits = b.commits
	open := b.Open() || len(b.streak) >= b.Distinct
	due := s.among >= b.Alone || s.among+s.lone >= b.Quiet
	switch {
	case due && (!open || s.proven() && b.crowded(now)):
		return Verdict{Do: SetAside, At: s.next}
	case open:
		return b.suspend(now)
	}
	return Verdict{Do: Hold, At: s.next, Outage: outage}
}

// FailedAgain is told that a message failed alone that was set aside before. It goes back to
// its row, also while the circuit is open, and is no sign of an outage: nothing is decided
// anew.
func (b *State) FailedAgain(k Key, now time.Time) Verdict {
	s := b.suspect(k, now)
	s.failures++
	s.last, s.next = now, now.Add(b.Retry.First)
	s.commits = b.commits
	return Verdict{Do: SetAside, At: s.next}
}

// observe counts the time since the last failure, by what happened to others in it. Of a
// long time without an attempt little is known, so it counts as two pauses.
func (b *State) observe(s *suspect, now time.Time) {
	if s.failures == 0 {
		return
	}
	span := min(now.Sub(s.last), 2*b.Retry.Max)
	switch {
	case b.commits > s.commits:
		s.gaps++
		s.among += span
	case s.proven() && b.crowded(now):
		s.among += span
	case !b.Open():
		s.lone += span
	}
}

// crowded says that those who are proven hold all of the broker's window, so that others
// cannot come. Another instance may have got some of them.
func (b *State) crowded(now time.Time) bool {
	n := 0
	for _, s := range b.suspects {
		if s.proven() && now.Sub(s.last) <= b.Quiet {
			n++
		}
	}
	return n >= b.Crowd
}

// suspect finds the message or makes room for it. One that nobody has seen failing for
// longer than the longest verdict takes begins anew.
func (b *State) suspect(k Key, now time.Time) *suspect {
	s := b.suspects[k]
	if s != nil && now.Sub(s.last) <= b.Quiet {
		return s
	}
	if s == nil && len(b.suspects) >= b.Memory {
		b.forgetOldest()
	}
	s = &suspect{}
	b.suspects[k] = s
	return s
}

func (b *State) forgetOldest() {
	var oldest Key
	var since time.Time
	for k, s := range b.suspects {
		if since.IsZero() || s.last.Before(since) {
			oldest, since = k, s.last
		}
	}
	delete(b.suspects, oldest)
}

// Forget is told that messages were set aside.
func (b *State) Forget(keys ...Key) {
	for _, k := range keys {
		delete(b.suspects, k)
	}
}

// suspend opens the circuit, or keeps it open after a probe that failed. Those who were
// under way when it opened are no probes.
func (b *State) suspend(now time.Time) Verdict {
	switch {
	case !b.Open():
		b.opened, b.probes, b.next = now, 0, now.Add(b.Probe.First)
	case !now.Before(b.next):
		b.probes++
		b.next = now.Add(b.Probe.after(b.probes))
	}
	return Verdict{Do: GiveBack, At: b.next}
}

// Candidate chooses which message to probe with: one that has not failed yet, from a
// different place each time and in each process, because those in front may be the bad ones,
// and one of them may have ended the last process; else the one whose failure is the longest
// ago.
func (b *State) Candidate(keys []Key) int {
	var unknown []int
	oldest := 0
	for i, k := range keys {
		s := b.suspects[k]
		if s == nil {
			unknown = append(unknown, i)
		} else if first := b.suspects[keys[oldest]]; first != nil && s.last.Before(first.last) {
			oldest = i
		}
	}
	if n := len(unknown); n > 0 {
		const golden = 0.618034 // spreads any number of probes evenly
		place := float64(b.probes+1+int(b.seed%1000)) * golden
		return unknown[int((place-float64(int(place)))*float64(n))]
	}
	return oldest
}
