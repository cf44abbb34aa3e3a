package relay

import (
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/outbox/outboxpg"
)

// Statuses are those of the engines, by shard: of the shards that this crew holds or
// wants, of those that it is letting go, and where there are more relays than shards
// of the one that it stands by for. It is safe for concurrent use.
func (c *Crew) Statuses() []Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.statuses()
}

func (c *Crew) statuses() []Status {
	var all []Status
	for _, shard := range slices.Sorted(maps.Keys(c.posts)) {
		all = append(all, c.posts[shard].engine.Status())
	}
	return all
}

// Status sums the engines up: the state of the first that is not healthy, else what keeps
// the crew from looking at the others, else Active where one is, else Standby. Its Shard says whose state it is. The counters include
// engines that have ended. It is safe for concurrent use.
func (c *Crew) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum, all := c.own, c.statuses()
	if len(all) > 0 {
		worst := slices.MinFunc(all, func(a, b Status) int { return gravity(a.State) - gravity(b.State) })
		if c.own.State.Healthy() || c.own.State == Starting || !worst.State.Healthy() {
			sum.Shard, sum.State, sum.Since, sum.LastError = worst.Shard, worst.State, worst.Since, worst.LastError
		}
	}
	for _, s := range all {
		sum.count(s)
		sum.InWork += s.InWork
		if sum.Oldest.IsZero() || !s.Oldest.IsZero() && s.Oldest.Before(sum.Oldest) {
			sum.Oldest = s.Oldest
		}
	}
	return sum
}

// gravity orders states by what they say of several engines: a trouble says most. An
// engine that has only just been started says least.
func gravity(s State) int {
	return slices.Index([]State{Active, Standby, Starting}, s)
}

// count adds what another engine has done.
func (s *Status) count(other Status) {
	s.Confirmed += other.Confirmed
	s.Refused += other.Refused
	s.Unanswered += other.Unanswered
	s.VoidLeases += other.VoidLeases
	s.TimelineChanges += other.TimelineChanges
	s.PulledIn += other.PulledIn
	s.PublishedID = max(s.PublishedID, other.PublishedID)
}

// saw notes how the last look went. The engines go on in any case.
func (c *Crew) saw(roster outboxpg.Roster, err error) {
	c.cfg.Faults.Report(TaskRoster, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	state, reason := Standby, ""
	if err != nil {
		state, reason = stateOf(err), err.Error()
	}
	if c.own.State != state {
		c.own.Since = time.Now()
	}
	c.own.State, c.own.LastError = state, reason
	for _, holder := range roster.Void {
		if !slices.Contains(c.void, holder) {
			c.own.VoidMembers++
			c.log.Warn("a relay counts as gone though its time, by the database's clock, is not over: "+
				"it has not renewed it for longer than that lasts, so the clock was set back", zap.String("holder", holder))
		}
	}
	if err == nil {
		c.void = roster.Void
	}
}
