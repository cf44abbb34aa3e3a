package relay

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.example/saga/internal/address"
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
}

// ParkedStatus counts the messages of a database that are set aside for one reason.
type ParkedStatus struct {
	Database string `json:"database"`
	outboxpg.ParkedCount
}

// Status is what `relay status` shows. It asks the databases and the broker, not
// the relay, so that it also works where none runs.
type Status struct {
	// Shards are in the order of the databases' list.
	Shards []ShardStatus `json:"shards"`
	// Parked is what is set aside, by database, see `relay parked`.
	Parked []ParkedStatus `json:"parked"`
	// Broker is "reachable", "unknown" where no AMQP_URL is set, or the reason why
	// it cannot be used.
	Broker string `json:"broker"`
}

// Words for a broker that can be used, and one that was not asked.
const (
	BrokerReachable = "reachable"
	BrokerUnknown   = "unknown"
)

// OK says whether everything is reachable, nothing stands still and nothing waits for
// an operator.
func (s Status) OK() bool {
	ok := s.Broker == BrokerReachable || s.Broker == BrokerUnknown
	for _, d := range s.Shards {
		ok = ok && d.State == StateActive
	}
	for _, p := range s.Parked {
		ok = ok && p.State != outboxpg.Dead
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
	status := Status{Broker: BrokerUnknown}
	var looks sync.WaitGroup
	for i, d := range databases {
		looks.Go(func() { shards[i], parked[i] = readDatabase(ctx, d) })
	}
	if s.RequireBroker() == nil {
		looks.Go(func() {
			status.Broker = BrokerReachable
			if _, err := rabbit.Ping(ctx, broker(s)); err != nil {
				status.Broker = address.Scrub(err.Error())
			}
		})
	}
	looks.Wait()
	status.Shards, status.Parked = slices.Concat(shards...), slices.Concat(parked...)
	return status, nil
}

func readDatabase(ctx context.Context, d database) ([]ShardStatus, []ParkedStatus) {
	lags, err := d.log.Lag(ctx)
	switch {
	case errors.Is(err, outboxpg.ErrNotInstalled):
		return []ShardStatus{{Database: d.name, State: StateNoTables, LastError: outboxpg.ErrNotInstalled.Error()}}, nil
	case err != nil:
		return []ShardStatus{{Database: d.name, State: StateUnreachable, LastError: address.Scrub(err.Error())}}, nil
	}
	shards := make([]ShardStatus, len(lags))
	for i, lag := range lags {
		shards[i] = ShardStatus{
			Database:      d.name,
			Shard:         lag.Shard,
			State:         StateActive,
			Holder:        lag.Holder,
			PublishedID:   lag.PublishedID,
			Pending:       lag.Pending,
			OldestSeconds: int64(lag.OldestAge.Seconds()),
			LastError:     lag.LastError,
		}
		switch {
		case lag.LastError != "":
			shards[i].State = StateStalled
		case lag.Holder == "":
			shards[i].State = StateNoRelay
		}
	}
	return shards, readParked(ctx, d)
}

// readParked leaves out what cannot be counted: the shards' errors say why.
func readParked(ctx context.Context, d database) (parked []ParkedStatus) {
	counts, _ := d.log.CountParked(ctx, outboxpg.ParkedFilter{})
	for _, c := range counts {
		parked = append(parked, ParkedStatus{d.name, c})
	}
	return parked
}
