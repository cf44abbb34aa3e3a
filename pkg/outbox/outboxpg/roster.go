package outboxpg

import (
	"context"
	"fmt"
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
}

// Roster reads the roster. It changes nothing. After an error it can be tried again.
func (l *Log) Roster(ctx context.Context) (Roster, error) {
	roster, err := scanRoster(l.pool.QueryRow(ctx, l.query("roster")))
	if err != nil {
		return Roster{}, fmt.Errorf("read which relays share the outbox: %w", explain(err))
	}
	return roster, nil
}

// Enlist says that the relay holder is alive, for a lifetime unless it is said again,
// and reads the roster in the same round trip. After an error it can be tried again.
func (l *Log) Enlist(ctx context.Context, holder string, lifetime time.Duration) (roster Roster, err error) {
	batch := &pgx.Batch{}
	// In this order: who waits for its own row must not hold another's.
	batch.Queue(l.query("roster_enlist"), holder, lifetime.Seconds())
	batch.Queue(l.query("roster_sweep"))
	batch.Queue(l.query("roster")).QueryRow(func(row pgx.Row) (err error) {
		roster, err = scanRoster(row)
		return err
	})
	if err := l.pool.SendBatch(ctx, batch).Close(); err != nil {
		return Roster{}, fmt.Errorf("enlist among the relays that share the outbox: %w", explain(err))
	}
	return roster, nil
}

// Leave takes the relay holder off the roster, so that the others stand by for its
// shards. Its leases are not touched. After an error it can be tried again; the
// relay counts as gone at the end of its lifetime in any case.
func (l *Log) Leave(ctx context.Context, holder string) error {
	if _, err := l.pool.Exec(ctx, l.query("roster_leave"), holder); err != nil {
		return fmt.Errorf("leave the relays that share the outbox: %w", explain(err))
	}
	return nil
}

func scanRoster(row pgx.Row) (r Roster, err error) {
	err = row.Scan(&r.Members, &r.Holders)
	return r, err
}
