package relay

import (
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
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

// Status sums the engines up: the state of the first that is not healthy, else Active
// where one is, else Standby. Its Shard says whose state it is. The counters include
// engines that have ended. It is safe for concurrent use.
func (c *Crew) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum, all := c.own, c.statuses()
	if len(all) > 0 {
		worst := slices.MinFunc(all, func(a, b Status) int { return gravity(a.State) - gravity(b.State) })
		sum.Shard, sum.State, sum.Since, sum.LastError = worst.Shard, worst.State, worst.Since, worst.LastError
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
	s.PublishedID = max(s.PublishedID, other.PublishedID)
}

// saw notes how the last look went, and logs when that changes. The engines go on in
// any case.
func (c *Crew) saw(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	state, reason := Standby, ""
	if err != nil {
		state, reason = DatabaseDown, err.Error()
	}
	was := c.own.State
	c.own.State, c.own.LastError = state, reason
	if was == state {
		return
	}
	c.own.Since = time.Now()
	switch {
	case err != nil:
		c.log.Warn("cannot look at the other relays, keeps its share", zap.Error(err))
	case was == DatabaseDown:
		c.log.Info("looks at the other relays again")
	}
}
