package outboxpg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	sagasql "go.example/saga/sql"
)

// Log is the outbox of one database. It is safe for concurrent use.
type Log struct {
	pool      *pgxpool.Pool
	schema    string
	sightings sightings
	service   atomic.Pointer[string] // whose outbox it is, as the last lease found it
}

// New makes the log of the pool's database; the empty schema is public. It does
// not connect. Three connections for each shard that is held are enough.
//
// Where a pooler in transaction mode may be in between, give the pool the mode
// [pgx.QueryExecModeCacheDescribe], which keeps nothing in a session.
func New(pool *pgxpool.Pool, schema string) *Log {
	return &Log{pool: pool, schema: schema}
}

// serviceName is empty where the outbox is no service's.
func (l *Log) serviceName() string {
	if name := l.service.Load(); name != nil {
		return *name
	}
	return ""
}

func (l *Log) query(name string) string { return sagasql.Query(l.schema, "relay/"+name+".sql") }

// Acquire takes a shard's lease, of at most 5 min, for holder, a name that nobody else
// uses, and ends the holder's own former tenure of it, if there is one. It fails with a
// [RightsError] where the database's role may not do all that a holder does, with a
// [HeldError] while another relay has the lease, with [ErrNoShard] when there are fewer
// shards by now, with [ErrNotInstalled], and with [ErrForeign], which [Log.Rebase] cures.
// After any error it can be tried again; that is what ends a void lease, see [Tenure.Void].
func (l *Log) Acquire(ctx context.Context, shard int, holder string, lease time.Duration) (*Tenure, error) {
	t, err := l.acquire(ctx, shard, holder, lease)
	if !errors.Is(err, errNotServed) {
		return t, err
	}
	// A log that is whole is only put into service by this.
	if _, err := l.Rebase(ctx); err != nil {
		return nil, err
	}
	return l.acquire(ctx, shard, holder, lease)
}

func (l *Log) acquire(ctx context.Context, shard int, holder string, lease time.Duration) (*Tenure, error) {
	if err := l.proveRights(ctx, TaskPublish); err != nil {
		return nil, err
	}
	t := &Tenure{log: l, shard: shard, lease: lease, ask: firstAsk}
	void := l.sightings.lease(strconv.Itoa(shard), time.Now())
	var service string
	err := l.call(ctx, l.query("acquire"), []any{shard, holder, lease.Seconds(), void},
		&t.epoch, &t.from.settled, &t.from.window, &t.from.lastID, &t.shards, &t.present, &t.formerTimeline, &service, &t.void)
	switch {
	case err == nil:
		l.service.Store(&service)
		t.saved = t.from
		return t, nil
	case errors.Is(err, pgx.ErrNoRows):
		return nil, l.whyNot(ctx, shard)
	default:
		return nil, fmt.Errorf("take the lease of the outbox's shard %d: %w", shard, explain(err))
	}
}

// whyNot finds out what kept Acquire from the lease.
func (l *Log) whyNot(ctx context.Context, shard int) error {
	var holder, standing string
	var foreign, served, exists bool
	var length float64
	err := l.call(ctx, l.query("standing"), []any{shard}, &foreign, &served, &exists, &holder, &standing, &length)
	switch {
	case err != nil:
		return fmt.Errorf("read the position of the outbox's shard %d: %w", shard, explain(err))
	case foreign:
		return ErrForeign
	case !served:
		return errNotServed
	case !exists:
		return fmt.Errorf("%w: %d", ErrNoShard, shard)
	}
	// Held, or just given up by another: either way, ask again.
	if holder != "" {
		l.sightings.saw(row{name: strconv.Itoa(shard)}, standing, seconds(length), time.Now())
	}
	return &HeldError{Holder: holder}
}

// Complain writes down for people why a shard that nobody holds is not taken. After an
// error it can be tried again.
func (l *Log) Complain(ctx context.Context, shard int, reason string) error {
	if err := l.transact(ctx, func(b *pgx.Batch) { b.Queue(l.query("complain"), shard, reason) }); err != nil {
		return fmt.Errorf("write down why the outbox's shard %d is not published: %w", shard, explain(err))
	}
	return nil
}

// Rebase makes a log whole whose position or rows came by a dump, see [ErrForeign].
// Rows that the dump counts as published stay so, and the number of the others,
// which get published, is returned: none that was published before the dump was
// made. A log that is whole is left alone. It rewrites every row, in one transaction
// that keeps writers waiting. It can be repeated after an error.
func (l *Log) Rebase(ctx context.Context) (pending int64, err error) {
	if err := l.call(ctx, l.query("rebase"), nil, &pending); err != nil {
		return 0, fmt.Errorf("rebase the restored outbox: %w", l.rightsBehind(ctx, TaskPublish, explain(err)))
	}
	return pending, nil
}

// Reshard sets the number of shards, 1 to 1024, and returns the former one. The
// holders lose their leases. Where the shards stood at different places, messages that
// some had published ahead of the slowest are published again. It can be repeated.
func (l *Log) Reshard(ctx context.Context, shards int) (former int, err error) {
	if err := l.call(ctx, l.query("reshard"), []any{shards}, &former); err != nil {
		return 0, fmt.Errorf("set the number of shards of the outbox to %d: %w", shards, l.rightsBehind(ctx, TaskReshard, explain(err)))
	}
	return former, nil
}
