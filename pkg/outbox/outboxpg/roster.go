package outboxpg

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Roster is who is alive and who holds what, at one moment of the database's clock.
type Roster struct {
	// Members are the relays that are alive, in no order.
	Members []string
	// Holders has the holder of each shard, empty for one that is free. There is at
	// least one shard.
	Holders []string
	// Void are relays that are alive, or hold a shard, by the database's clock alone: they
	// have not said so for longer than it was to count, so the clock was set back. They are
	// no Members, and their shards are free.
	Void []string
}

// Roster reads the roster. It changes nothing. After an error it can be tried again.
func (l *Log) Roster(ctx context.Context) (roster Roster, err error) {
	err = l.transact(ctx, func(b *pgx.Batch) { b.Queue(l.query("roster")).QueryRow(l.scanRoster(&roster)) })
	if err != nil {
		return Roster{}, fmt.Errorf("read which relays share the outbox: %w", explain(err))
	}
	return roster, nil
}

// Enlist says that the relay holder is alive, for a lifetime of at most 5 min unless it is
// said again, clears away those that are gone, and reads the roster in the same round trip.
// After an error it can be tried again.
func (l *Log) Enlist(ctx context.Context, holder string, lifetime time.Duration) (roster Roster, err error) {
	void, ends := l.sightings.members(time.Now())
	err = l.transact(ctx, func(b *pgx.Batch) {
		// In this order: who waits for its own row must not hold another's.
		b.Queue(l.query("roster_enlist"), holder, lifetime.Seconds())
		b.Queue(l.query("roster_sweep"), void, ends)
		b.Queue(l.query("roster")).QueryRow(l.scanRoster(&roster))
	})
	if err != nil {
		return Roster{}, fmt.Errorf("enlist among the relays that share the outbox: %w", explain(err))
	}
	return roster, nil
}

// Leave takes the relay holder off the roster, so that the others stand by for its
// shards. Its leases are not touched. After an error it can be tried again; the
// relay counts as gone at the end of its lifetime in any case.
func (l *Log) Leave(ctx context.Context, holder string) error {
	err := l.transact(ctx, func(b *pgx.Batch) { b.Queue(l.query("roster_leave"), holder) })
	if err != nil {
		return fmt.Errorf("leave the relays that share the outbox: %w", explain(err))
	}
	return nil
}

// scanRoster leaves out what is void by now.
func (l *Log) scanRoster(roster *Roster) func(pgx.Row) error {
	return func(found pgx.Row) error {
		var members, shards columnsOfRoster
		err := found.Scan(&members.holders, &members.ends, &members.lengths, &shards.holders, &shards.ends, &shards.lengths)
		if err != nil {
			return err
		}
		now := time.Now()
		*roster = Roster{Members: []string{}}
		for i, holder := range members.holders {
			if l.sightings.saw(row{true, holder}, members.ends[i], seconds(members.lengths[i]), now) {
				roster.Void = append(roster.Void, holder)
				continue
			}
			roster.Members = append(roster.Members, holder)
		}
		for i, holder := range shards.holders {
			if holder != "" && l.sightings.saw(rowOfShard(i), shards.ends[i], seconds(shards.lengths[i]), now) {
				roster.Void = append(roster.Void, holder)
				holder = ""
			}
			roster.Holders = append(roster.Holders, holder)
		}
		slices.Sort(roster.Void)
		roster.Void = slices.Compact(roster.Void)
		return nil
	}
}

// columnsOfRoster are arrays: element n of each is one row.
type columnsOfRoster struct {
	holders, ends []string
	lengths       []float64
}

// seconds as a duration; more than it can hold is the longest one.
func seconds(s float64) time.Duration {
	const most = float64(math.MaxInt64 / int64(time.Second))
	return time.Duration(max(-most, min(s, most)) * float64(time.Second))
}
