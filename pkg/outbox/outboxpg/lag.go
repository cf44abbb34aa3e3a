package outboxpg

import (
	"context"
	"fmt"
	"time"
)

// Lag is how far behind the relay of a database is, from the view outbox_lag.
type Lag struct {
	Pending     int64         // committed messages that wait
	OldestAge   time.Duration // age of the oldest of them, in whole seconds
	PublishedID int64         // row published last; 0 before the first
	Holder      string        // relay that holds the lease; empty when none does
	LeaseLeft   time.Duration // how long the lease still runs
	LastError   string        // why the log stands still; empty while it does not
}

// Lag reads the database's view; it takes no lease and disturbs no relay.
func (l *Log) Lag(ctx context.Context) (Lag, error) {
	var lag Lag
	var oldest, left float64
	row := l.pool.QueryRow(ctx, l.query("lag"))
	if err := row.Scan(&lag.Pending, &oldest, &lag.PublishedID, &lag.Holder, &left, &lag.LastError); err != nil {
		return Lag{}, fmt.Errorf("read the lag of the outbox: %w", explain(err))
	}
	lag.OldestAge = time.Duration(oldest * float64(time.Second))
	lag.LeaseLeft = time.Duration(left * float64(time.Second))
	return lag, nil
}
