package outboxpg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Lag is how far behind the relay of a shard is, from the view outbox_lag.
type Lag struct {
	Shard       int
	Pending     int64         // committed messages that wait, without the parked ones
	OldestAge   time.Duration // age of the oldest of them, in whole seconds
	PublishedID int64         // row published last; 0 before the first
	Holder      string        // relay that holds the lease; empty when none does
	LeaseLeft   time.Duration // how long the lease still runs
	LastError   string        // why the log stands still; empty while it does not
}

// Lag reads the database's view, in the order of the shards; it takes no lease and
// disturbs no relay.
func (l *Log) Lag(ctx context.Context) ([]Lag, error) {
	rows, err := l.pool.Query(ctx, l.query("lag"))
	if err == nil {
		var lags []Lag
		if lags, err = pgx.CollectRows(rows, scanLag); err == nil {
			return lags, nil
		}
	}
	return nil, fmt.Errorf("read the lag of the outbox: %w", explain(err))
}

func scanLag(row pgx.CollectableRow) (lag Lag, err error) {
	var oldest, left float64
	err = row.Scan(&lag.Shard, &lag.Pending, &oldest, &lag.PublishedID, &lag.Holder, &left, &lag.LastError)
	lag.OldestAge = time.Duration(oldest * float64(time.Second))
	lag.LeaseLeft = time.Duration(left * float64(time.Second))
	return lag, err
}
