package outboxpg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	sagasql "go.example/saga/sql"
)

// Log is the outbox of one database. It is safe for concurrent use.
type Log struct {
	pool   *pgxpool.Pool
	schema string
}

// New makes the log of the pool's database; the empty schema is public. It does
// not connect. Two connections are enough.
func New(pool *pgxpool.Pool, schema string) *Log {
	return &Log{pool: pool, schema: schema}
}

func (l *Log) query(name string) string { return sagasql.Query(l.schema, "outbox/"+name+".sql") }

// Acquire takes the lease for holder, a name that nobody else uses, and ends the
// holder's own former tenure, if there is one. It fails with a [HeldError] while
// another relay has the lease, with [ErrNotInstalled] and with [ErrForeign]. After
// any error it can be tried again.
func (l *Log) Acquire(ctx context.Context, holder string, lease time.Duration) (*Tenure, error) {
	t := &Tenure{log: l, lease: lease, ask: firstAsk}
	row := l.pool.QueryRow(ctx, l.query("acquire"), holder, lease.Seconds())
	err := row.Scan(&t.epoch, &t.from.settled, &t.from.window, &t.from.lastID)
	switch {
	case err == nil:
		return t, nil
	case errors.Is(err, pgx.ErrNoRows):
		return nil, l.whyNot(ctx)
	default:
		return nil, fmt.Errorf("take the lease of the outbox: %w", explain(err))
	}
}

// whyNot finds out what kept Acquire from the lease.
func (l *Log) whyNot(ctx context.Context) error {
	var holder string
	var sameCluster, fromFuture bool
	err := l.pool.QueryRow(ctx, l.query("standing")).Scan(&holder, &sameCluster, &fromFuture)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return foreign("table outbox_position is empty, as after a restore without data")
	case err != nil:
		return fmt.Errorf("read the position of the outbox: %w", explain(err))
	case !sameCluster:
		return foreign("the system identifier in outbox_position is not this cluster's")
	case fromFuture:
		return foreign("the snapshot in outbox_position lies in the future of this cluster")
	default:
		// Held, or just given up by another: either way, ask again.
		return &HeldError{Holder: holder}
	}
}
