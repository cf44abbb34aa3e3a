package inbox

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// rule says when a message is to blame for its failures. The table is in the package's
// documentation. It is pure: what happened comes in, with its time, and what to do comes
// out.
type rule struct {
	alone    time.Duration // of failing alone while others commit: the message is set aside
	quiet    time.Duration // the same on an otherwise empty queue
	distinct int           // so many different messages that fail alone in a row open the circuit
	retry    pauses        // between two attempts of one message
	probe    pauses        // between two probes of an open circuit
	crowd    int           // so many held messages leave the others no room
	memory   int           // how many messages are remembered
}

var standardRule = rule{
	alone:    time.Minute,
	quiet:    10 * time.Minute,
	distinct: 3,
	retry:    pauses{first: 100 * time.Millisecond, max: 10 * time.Second},
	probe:    pauses{first: time.Second, max: 10 * time.Second},
	crowd:    defaultBatch,
	memory:   2000,
}

// pauses double from first to max.
type pauses struct{ first, max time.Duration }

func (p pauses) after(n int) time.Duration {
	pause := p.first
	for ; n > 0 && pause < p.max; n-- {
		pause *= 2
	}
	return min(pause, p.max)
}

// key is a message whatever session delivers it. The body is part of it: an id may be
// used twice.
type key [sha256.Size]byte

func keyOf(d Delivery) key {
	id := []byte(d.MessageID)
	text := binary.AppendUvarint(nil, uint64(len(id)))
	return sha256.Sum256(append(append(text, id...), d.Body...))
}

// action is what to do with what was tried.
type action int

const (
	// together: try it in a batch.
	together action = iota
	// split: try the halves.
	split
	// hold: try it alone, not before the verdict's time. It stays unacknowledged.
	hold
	// again: try the same again at the verdict's time.
	again
	// setAside: it is to blame.
	setAside
	// giveBack: the circuit is open. End the session; probe at the verdict's time.
	giveBack
)

type verdict struct {
	do action
	at time.Time
	// outage: the message failed before, and nobody has committed since.
	outage bool
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

// blame is the rule's state. It is not safe for concurrent use.
type blame struct {
	rule
	suspects  map[key]*suspect
	commits   uint64 // attempts that committed work
	streak    map[key]bool
	unreaches int
	opened    time.Time // zero: the circuit is closed
	probes    int
	next      time.Time // of the next probe
}

func newBlame(r rule) *blame {
	return &blame{rule: r, suspects: map[key]*suspect{}, streak: map[key]bool{}}
}

func (b *blame) open() bool { return !b.opened.IsZero() }

// arrived says what to do with a message that the broker has delivered.
func (b *blame) arrived(k key) verdict {
	if b.open() {
		return verdict{do: giveBack, at: b.next}
	}
	if s := b.suspects[k]; s != nil {
		return verdict{do: hold, at: s.next}
	}
	return verdict{do: together}
}

// committed is told of work that is durable; of a message that was tried alone with its
// key. Messages that were set aside are no work.
func (b *blame) committed(keys ...key) {
	for _, k := range keys {
		delete(b.suspects, k)
	}
	b.commits++
	b.close()
}

// idle is told that the queue was empty when a probe was due: there is nothing to protect.
func (b *blame) idle() { b.close() }

func (b *blame) close() {
	clear(b.streak)
	b.unreaches, b.opened, b.probes = 0, time.Time{}, 0
}

// unreached is told that no transaction could be begun: no message was tried.
func (b *blame) unreached(now time.Time) verdict {
	b.unreaches++
	if b.open() || b.unreaches >= b.distinct {
		return b.suspend(now)
	}
	return verdict{do: again, at: now.Add(b.retry.after(b.unreaches - 1))}
}

// failedTogether is told that a batch of several failed.
func (b *blame) failedTogether() verdict {
	if b.open() {
		return verdict{do: giveBack, at: b.next}
	}
	return verdict{do: split}
}

// failedAlone is told that a message failed with no other in its transaction.
func (b *blame) failedAlone(k key, now time.Time) verdict {
	s := b.suspect(k, now)
	outage := s.failures > 0 && b.commits == s.commits
	b.observe(s, now)
	if !s.proven() {
		b.streak[k] = true
	}
	s.failures++
	s.last, s.next = now, now.Add(b.retry.after(s.failures-1))
	s.commits = b.commits
	open := b.open() || len(b.streak) >= b.distinct
	due := s.among >= b.alone || s.among+s.lone >= b.quiet
	switch {
	case due && (!open || s.proven() && b.crowded()):
		return verdict{do: setAside, at: s.next}
	case open:
		return b.suspend(now)
	}
	return verdict{do: hold, at: s.next, outage: outage}
}

// failedAgain is told that a message failed alone that was set aside before. It goes back to
// its row, also while the circuit is open, and is no sign of an outage: nothing is decided
// anew.
func (b *blame) failedAgain(k key, now time.Time) verdict {
	s := b.suspect(k, now)
	s.failures++
	s.last, s.next = now, now.Add(b.retry.first)
	s.commits = b.commits
	return verdict{do: setAside, at: s.next}
}

// observe counts the time since the last failure, by what happened to others in it. Of a
// long time without an attempt little is known, so it counts as two pauses.
func (b *blame) observe(s *suspect, now time.Time) {
	if s.failures == 0 {
		return
	}
	span := min(now.Sub(s.last), 2*b.retry.max)
	switch {
	case b.commits > s.commits:
		s.gaps++
		s.among += span
	case s.proven() && b.crowded():
		s.among += span
	case !b.open():
		s.lone += span
	}
}

// crowded says that those who are proven hold all of the broker's window, so that others
// cannot come.
func (b *blame) crowded() bool {
	n := 0
	for _, s := range b.suspects {
		if s.proven() {
			n++
		}
	}
	return n >= b.crowd
}

// suspect finds the message or makes room for it. One that nobody has seen failing for
// longer than the longest verdict takes begins anew.
func (b *blame) suspect(k key, now time.Time) *suspect {
	s := b.suspects[k]
	if s != nil && now.Sub(s.last) <= b.quiet {
		return s
	}
	if s == nil && len(b.suspects) >= b.memory {
		b.forgetOldest()
	}
	s = &suspect{}
	b.suspects[k] = s
	return s
}

func (b *blame) forgetOldest() {
	var oldest key
	var since time.Time
	for k, s := range b.suspects {
		if since.IsZero() || s.last.Before(since) {
			oldest, since = k, s.last
		}
	}
	delete(b.suspects, oldest)
}

// forget is told that a message was set aside.
func (b *blame) forget(k key) { delete(b.suspects, k) }

// suspend opens the circuit, or keeps it open after a probe that failed. Those who were
// under way when it opened are no probes.
func (b *blame) suspend(now time.Time) verdict {
	switch {
	case !b.open():
		b.opened, b.probes, b.next = now, 0, now.Add(b.probe.first)
	case !now.Before(b.next):
		b.probes++
		b.next = now.Add(b.probe.after(b.probes))
	}
	return verdict{do: giveBack, at: b.next}
}

// candidate chooses which message to probe with: one that has not failed yet, from a
// different place each time, because those in front may be the bad ones; else the one
// whose failure is the longest ago.
func (b *blame) candidate(keys []key) int {
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
		place := float64(b.probes+1) * golden
		return unknown[int((place-float64(int(place)))*float64(n))]
	}
	return oldest
}
