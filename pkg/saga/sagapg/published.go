package sagapg

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.example/saga/pkg/saga"
)

// sending is what the database knows of the messages that a saga has sent last.
type sending struct {
	xact  *uint64 // that wrote them; nil where nobody can tell what became of it
	shard *int
	held  *string
	dead  *bool
}

// Published remembers for one process when it has first seen the relay to be how far: no
// time of publication is written down. What was published before it looked for the first
// time counts as published then. The zero value has seen nothing.
type Published struct {
	looks []sighting // the oldest first
}

// sighting is what the relay had published, by shard, at a time of the database's clock.
type sighting struct {
	at      time.Time
	settled []snapshot
}

// resolution is the inverse of how much later than it was a publication may be taken to
// be, as a share of its age: so that few looks cover any time.
const resolution = 32

// note adds a look, and forgets those that tell little.
func (p *Published) note(settled []string, now time.Time) error {
	l := sighting{at: now, settled: make([]snapshot, len(settled))}
	for i, text := range settled {
		var err error
		if l.settled[i], err = parseSnapshot(text); err != nil {
			return fmt.Errorf("the relay's position in shard %d: %w", i, err)
		}
	}
	if n := len(p.looks); n > 0 && (len(p.looks[n-1].settled) != len(settled) || p.looks[n-1].at.After(now)) {
		p.looks = nil // other shards, or the clock has gone back
	}
	p.looks = append(p.looks, l)
	for i := len(p.looks) - 3; i >= 0; i-- {
		// The one in the middle is superfluous where the next one says nearly the same.
		if before, after := p.looks[i], p.looks[i+2]; after.at.Sub(before.at) <= min(now.Sub(after.at)/resolution, saga.MaxWait) {
			p.looks = slices.Delete(p.looks, i+1, i+2)
		}
	}
	if oldest := p.looks[0]; now.Sub(oldest.at) > 2*saga.MaxWait {
		p.looks = p.looks[1:]
	}
	return nil
}

// timer is the event for a saga whose timer is due.
func (p *Published) timer(s sending, now time.Time) saga.Timer {
	switch {
	case s.held != nil:
		return saga.Timer{Held: *s.held, Undeliverable: value(s.dead)}
	case s.xact == nil || s.shard == nil:
		return saga.Timer{}
	}
	for _, l := range p.looks {
		if *s.shard < len(l.settled) && l.settled[*s.shard].sees(*s.xact) {
			return saga.Timer{Published: l.at}
		}
	}
	return saga.Timer{Published: now}
}

// snapshot is PostgreSQL's pg_snapshot: what had committed at a moment.
type snapshot struct {
	xmin, xmax uint64
	running    []uint64
}

func parseSnapshot(text string) (s snapshot, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return s, fmt.Errorf("%.100q is no snapshot", text)
	}
	var numbers []uint64
	for _, part := range append(parts[:2:2], strings.FieldsFunc(parts[2], func(r rune) bool { return r == ',' })...) {
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil {
			return s, fmt.Errorf("%.100q is no snapshot: %w", text, err)
		}
		numbers = append(numbers, n)
	}
	return snapshot{xmin: numbers[0], xmax: numbers[1], running: numbers[2:]}, nil
}

func (s snapshot) sees(xact uint64) bool {
	return xact < s.xmin || xact < s.xmax && !slices.Contains(s.running, xact)
}
