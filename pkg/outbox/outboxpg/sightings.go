package outboxpg

import (
	"sync"
	"time"
)

// sightings remember since when rows with an end, leases and memberships, have stood
// unchanged, by this process's monotonic clock. Their owners renew them three times in
// their length, so one that has stood unchanged for longer than its length is over. Where
// the database's clock says otherwise, it was set back after the row was written. It is
// safe for concurrent use; the zero value is ready.
type sightings struct {
	mu   sync.Mutex
	seen map[row]sighting
}

// row is a lease, by its shard, or a membership, by its holder.
type row struct {
	member bool
	name   string
}

type sighting struct {
	text        string // how it stands there
	length      time.Duration
	since, last time.Time
}

// forgetAfter is when a row that was not seen any more is forgotten. It is more than the
// longest lease, so that one who looks seldom can still find it void.
const forgetAfter = 10 * time.Minute

// saw notes how a row stands there, and says whether it is void.
func (s *sightings) saw(r row, text string, length time.Duration, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.seen[r]
	if !ok || known.text != text {
		s.forget(now)
		known = sighting{text: text, length: length, since: now}
	}
	known.last = now
	s.seen[r] = known
	return known.void(now)
}

func (s *sightings) forget(now time.Time) {
	if s.seen == nil {
		s.seen = map[row]sighting{}
	}
	for r, old := range s.seen {
		if now.Sub(old.last) > forgetAfter {
			delete(s.seen, r)
		}
	}
}

func (s sighting) void(now time.Time) bool { return now.Sub(s.since) > s.length }

// lease is how the void lease of a shard stands there; empty where none is known.
func (s *sightings) lease(shard string, now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.seen[row{name: shard}]; ok && known.void(now) {
		return known.text
	}
	return ""
}

// members are the void memberships, and how they stand there.
func (s *sightings) members(now time.Time) (holders, ends []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r, known := range s.seen {
		if r.member && known.void(now) {
			holders, ends = append(holders, r.name), append(ends, known.text)
		}
	}
	return holders, ends
}
