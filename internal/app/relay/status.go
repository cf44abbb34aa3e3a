package relay

import (
	"context"
	"errors"
	"sync"
	"time"

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

// DatabaseStatus is the state of one database's outbox, seen from outside.
type DatabaseStatus struct {
	Database    string `json:"database"`
	State       string `json:"state"`
	Holder      string `json:"holder"`
	PublishedID int64  `json:"publishedId"`
	Pending     int64  `json:"pending"`
	// OldestSeconds is the age of the oldest pending message.
	OldestSeconds int64  `json:"oldestSeconds"`
	LastError     string `json:"lastError"`
}

// Status is what `relay status` shows. It asks the databases and the broker, not
// the relay, so that it also works where none runs.
type Status struct {
	Databases []DatabaseStatus `json:"databases"`
	// Broker is "reachable", "unknown" where no AMQP_URL is set, or the reason why
	// it cannot be used.
	Broker string `json:"broker"`
}

// Words for a broker that can be used, and one that was not asked.
const (
	BrokerReachable = "reachable"
	BrokerUnknown   = "unknown"
)

// OK says whether everything is reachable and nothing stands still.
func (s Status) OK() bool {
	ok := s.Broker == BrokerReachable || s.Broker == BrokerUnknown
	for _, d := range s.Databases {
		ok = ok && d.State == StateActive
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
	status := Status{Databases: make([]DatabaseStatus, len(databases)), Broker: BrokerUnknown}
	var looks sync.WaitGroup
	for i, d := range databases {
		looks.Go(func() { status.Databases[i] = readDatabase(ctx, d) })
	}
	if s.AMQPURL != "" {
		looks.Go(func() {
			status.Broker = BrokerReachable
			if _, err := rabbit.Ping(ctx, broker(s.AMQPURL)); err != nil {
				status.Broker = err.Error()
			}
		})
	}
	looks.Wait()
	return status, nil
}

func readDatabase(ctx context.Context, d database) DatabaseStatus {
	lag, err := d.log.Lag(ctx)
	status := DatabaseStatus{
		Database:      d.name,
		State:         StateActive,
		Holder:        lag.Holder,
		PublishedID:   lag.PublishedID,
		Pending:       lag.Pending,
		OldestSeconds: int64(lag.OldestAge.Seconds()),
		LastError:     lag.LastError,
	}
	switch {
	case errors.Is(err, outboxpg.ErrNotInstalled):
		status.State, status.LastError = StateNoTables, outboxpg.ErrNotInstalled.Error()
	case err != nil:
		status.State, status.LastError = StateUnreachable, err.Error()
	case lag.LastError != "":
		status.State = StateStalled
	case lag.Holder == "":
		status.State = StateNoRelay
	}
	return status
}
