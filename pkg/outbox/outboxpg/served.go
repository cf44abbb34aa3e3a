package outboxpg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrUnserved says that what is appended to an outbox is kept, and that nobody publishes it.
var ErrUnserved = errors.New("no relay serves the outbox of this database: what is appended is kept, and nobody publishes it; " +
	"does a relay run, and is the database in its DATABASE_URLS?")

const (
	// servedPause is the time between two looks for a relay, and servedTime how long one
	// may take.
	servedPause = 10 * time.Second
	servedTime  = 5 * time.Second
	// unservedAllowed is how long a shard may have no relay: one may be starting anew.
	unservedAllowed = 20 * time.Second
)

// Unserved counts the shards whose lease no relay holds, of how many. The role needs no right but to
// call the function outbox_leases. A lease counts no more when it has stood unchanged for
// its own length, whatever the database's clock says. After an error it can be tried again.
func (l *Log) Unserved(ctx context.Context) (shards, of int, err error) {
	now := time.Now()
	served, err := list(ctx, l, l.query("leases"), nil, func(row pgx.CollectableRow) (bool, error) {
		var shard int
		var holder, stands string
		var lasts float64
		if err := row.Scan(&shard, &holder, &stands, &lasts); err != nil || holder == "" {
			return false, err
		}
		return !l.sightings.saw(rowOfShard(shard), stands, seconds(lasts), now), nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("look for the relay of the outbox: %w", explain(err))
	}
	for _, s := range served {
		if !s {
			shards++
		}
	}
	if len(served) == 0 {
		return 1, 1, nil // it came by a dump, without its positions
	}
	return shards, len(served), nil
}

func rowOfShard(shard int) row { return row{name: strconv.Itoa(shard)} }

// WatchService is for every program that appends to the log: it looks for a relay until ctx
// ends, and tells what it found after each look: nil; an error that is [ErrUnserved], when
// for half a minute there was none; or another error, when the database could not be asked.
// It does not matter whether messages wait: the first one would wait for ever.
func (l *Log) WatchService(ctx context.Context, report func(error)) {
	l.watchService(ctx, report, serviceWatch{pause: servedPause, allowed: unservedAllowed})
}

func (l *Log) watchService(ctx context.Context, report func(error), w serviceWatch) {
	for {
		asking, cancel := context.WithTimeout(ctx, servedTime)
		shards, of, err := l.Unserved(asking)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = w.judge(shards, of, time.Now())
		}
		report(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(w.pause):
		}
	}
}

// serviceWatch remembers since when shards have had no relay.
type serviceWatch struct {
	pause, allowed time.Duration
	since          time.Time
}

// judge is ErrUnserved when some shard has had no relay for longer than allowed.
func (w *serviceWatch) judge(unserved, of int, now time.Time) error {
	if unserved == 0 {
		w.since = time.Time{}
		return nil
	}
	if w.since.IsZero() {
		w.since = now
	}
	if now.Sub(w.since) < w.allowed {
		return nil
	}
	if unserved == of {
		return ErrUnserved
	}
	return fmt.Errorf("%w (this is so for %d of its %d shards)", ErrUnserved, unserved, of)
}
