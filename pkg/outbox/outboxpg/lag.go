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
	// VoidHolder is the relay whose lease ends later than its own length from now; empty
	// where there is none. Once that has stood unchanged for its length, it counts no more.
	VoidHolder string
	// Timeline is that of the server's log when the lease was last taken, 0 where it is not
	// known; TimelineChangedAt is when it was last seen to be another than before, nil for never.
	Timeline          int64
	TimelineChangedAt *time.Time
}

// Lag reads the database's view, in the order of the shards; it takes no lease and
// disturbs no relay.
func (l *Log) Lag(ctx context.Context) ([]Lag, error) {
	lags, err := list(ctx, l, l.query("lag"), nil, scanLag)
	if err != nil {
		return nil, fmt.Errorf("read the lag of the outbox: %w", explain(err))
	}
	return lags, nil
}

func scanLag(row pgx.CollectableRow) (lag Lag, err error) {
	var oldest, left float64
	err = row.Scan(&lag.Shard, &lag.Pending, &oldest, &lag.PublishedID, &lag.Holder, &left, &lag.LastError, &lag.VoidHolder,
		&lag.Timeline, &lag.TimelineChangedAt)
	lag.OldestAge = seconds(oldest)
	lag.LeaseLeft = seconds(left)
	return lag, err
}
