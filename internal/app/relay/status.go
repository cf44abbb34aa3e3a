package relay

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.example/saga/internal/address"
	"go.example/saga/internal/app"
	"go.example/saga/pkg/outbox/outboxpg"
	"go.example/saga/pkg/rabbit"
)

// statusTimeout bounds the look at one database or at the broker.
const statusTimeout = 5 * time.Second

// What Status says of a database.
const (
	StateActive      = "active"      // a relay holds the lease and gets on
	StateStalled     = "stalled"     // it does not get on; the error says why
	StateNoRelay     = "no relay"    // nobody holds the lease
	StateVoidLease   = "void lease"  // a lease ends later than it can: the clock was set back
	StateNoRights    = "no rights"   // the role may not do what publishing needs; the error says what
	StateError       = "error"       // the database answers with an error
	StateNoTables    = "no tables"   // `relay migrate` has not been run
	StateUnreachable = "unreachable" // the database does not answer
)

// ShardStatus is the state of one shard of a database's outbox, seen from outside. A
// database that cannot be asked has one, without a holder.
type ShardStatus struct {
	Database    string `json:"database"`
	Shard       int    `json:"shard"`
	State       string `json:"state"`
	Holder      string `json:"holder"`
	PublishedID int64  `json:"publishedId"`
	Pending     int64  `json:"pending"`
	// OldestSeconds is the age of the oldest pending message.
	OldestSeconds int64  `json:"oldestSeconds"`
	LastError     string `json:"lastError"`
	// TimelineChangedAt is when the server's log was last seen on another timeline than before,
	// Timeline: a standby was promoted, or an older state was restored. Nil for never.
	Timeline          int64      `json:"timeline"`
	TimelineChangedAt *time.Time `json:"timelineChangedAt"`
}

// ParkedStatus counts the messages of a database that are set aside for one reason.
type ParkedStatus struct {
	Database string `json:"database"`
	outboxpg.ParkedCount
}

// Problem is something that a relay cannot do, or has not done, beside publishing.
type Problem struct {
	Database string `json:"database"`
	Task     string `json:"task"`
	Problem  string `json:"problem"`
}

// Status is what `relay status` shows. It asks the databases and the broker, not
// the relay, so that it also works where none runs.
type Status struct {
	// Shards are in the order of the databases' list.
	Shards []ShardStatus `json:"shards"`
	// Parked is what is set aside, by database, see `relay parked`.
	Parked []ParkedStatus `json:"parked"`
	// Problems are seen from the databases alone, with the rights of the role that asks.
	Problems []Problem `json:"problems"`
	// Broker is "reachable", "unknown" where no AMQP_URL is set, or the reason why
	// it cannot be used.
	Broker string `json:"broker"`
}

// Words for a broker that can be used, and one that was not asked.
const (
	BrokerReachable = "reachable"
	BrokerUnknown   = "unknown"
)

// OK says whether everything is reachable, nothing stands still, nothing is a problem and
// nothing waits for an operator.
func (s Status) OK() bool {
	ok := (s.Broker == BrokerReachable || s.Broker == BrokerUnknown) && len(s.Problems) == 0
	for _, d := range s.Shards {
		ok = ok && d.State == StateActive
	}
	for _, p := range s.Parked {
		ok = ok && p.State != outboxpg.Dead && p.State != outboxpg.CallDead
	}
	return ok
}

// ReadStatus looks at all databases and the broker at the same time.
func ReadStatus(ctx context.Context, s Settings) (Status, error) {
	databases, closeAll, err := openDatabases(ctx, s, name+"-status")
	if err != nil {
		return Status{}, err
	}
	defer closeAll()
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	shards := make([][]ShardStatus, len(databases))
	parked := make([][]ParkedStatus, len(databases))
	problems := make([][]Problem, len(databases))
	status := Status{Broker: BrokerUnknown}
	var looks sync.WaitGroup
	for i, d := range databases {
		looks.Go(func() {
			l := databaseLook{database: d, wanted: s.Shards}
			l.read(ctx)
			shards[i], parked[i], problems[i] = l.shards, l.parked, l.problems
		})
	}
	if s.RequireBroker() == nil {
		looks.Go(func() {
			status.Broker = BrokerReachable
			if _, err := rabbit.Ping(ctx, app.Broker(s.Broker, name)); err != nil {
				status.Broker = address.Scrub(err.Error())
			}
		})
	}
	looks.Wait()
	status.Shards, status.Parked, status.Problems = slices.Concat(shards...), slices.Concat(parked...), slices.Concat(problems...)
	return status, nil
}
