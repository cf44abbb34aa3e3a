package relay

import (
	"time"

	engine "go.example/saga/pkg/outbox/relay"
)

// oldestAge is how long the oldest message waits that this process has to publish. It
// is made to be trusted in an outage, when it is looked at:
//
//   - An engine at work reads the log all the time, so it knows.
//   - One that is kept from work by the broker has read nothing since. What came
//     meanwhile is found by the look at the database.
//   - While the database does not answer, nobody knows what was committed. Something may
//     have been, directly after the last moment at which nothing waited: so long it may
//     be waiting. The same holds for a process that has not reached its database yet.
//
// A shard that another process publishes is that one's to tell of.
func (m *meter) oldestAge(sum engine.Status, engines []engine.Status, last look) time.Duration {
	if len(engines) == 0 {
		engines = []engine.Status{sum} // the database has not said which shards there are
	}
	var age time.Duration
	for _, e := range engines {
		if since := m.waitsSince(e, last); !since.IsZero() {
			age = max(age, time.Since(since))
		}
	}
	return age
}

// waitsSince is when the oldest message of an engine was appended, by this process's
// clock; zero where none waits.
func (m *meter) waitsSince(e engine.Status, last look) time.Time {
	read, found := m.local(e.Oldest), m.local(last.shards[e.Shard].oldest)
	switch {
	case e.State == engine.Standby:
		return time.Time{}
	case knows(e.State):
		return read
	case last.failing && read.IsZero() && found.IsZero():
		return last.known
	case !last.failing && last.known.After(e.Since):
		return found // what was in work when work ended may be published, and this is newer
	default:
		return earlier(read, found)
	}
}

// knows says whether an engine in that state needs no look at the database: it reads
// the log all the time, or has nothing to publish.
func knows(state engine.State) bool {
	return state == engine.Active || state == engine.Blocked || state == engine.Unconfirmed || state == engine.Standby
}

// earlier is the earlier of two times, of which zero ones are none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
