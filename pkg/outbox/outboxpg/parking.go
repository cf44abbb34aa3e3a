package outboxpg

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/desk"
)

// What the relay decides of parked messages is package desk's; here it is written down.
type (
	// ParkState is why a message is set aside.
	ParkState = desk.State
	// Parking sets one message aside.
	Parking = desk.Parking[*outbox.Record]
	// Due is a parked message whose time has come.
	Due = desk.Due[*outbox.Record]
	// Destination is where messages go to.
	Destination = desk.Destination
)

// The states of a parked message.
const (
	Scheduled = desk.Scheduled
	Retry     = desk.Retry
	Waiting   = desk.Waiting
	Dead      = desk.Dead
	Discarded = desk.Discarded
)

// Blocked returns the aggregates whose messages must be parked behind others.
func (t *Tenure) Blocked(ctx context.Context) ([]string, error) {
	rows, err := t.log.pool.Query(ctx, t.log.query("blocked"), t.shard, t.shards)
	if err == nil {
		var keys []string
		if keys, err = pgx.CollectRows(rows, pgx.RowTo[string]); err == nil {
			return keys, nil
		}
	}
	return nil, fmt.Errorf("read which aggregates wait in outbox_parked: %w", explain(err))
}

// Due returns parked messages whose time has come, at most heads and behind each
// that is a [Retry] some that wait for it. Those in work are left out. A message
// may come twice, as its own and behind another.
func (t *Tenure) Due(ctx context.Context, heads int, inWork []int64) ([]Due, error) {
	rows, err := t.log.pool.Query(ctx, t.log.query("due"), t.shard, t.shards, heads, inWork)
	if err != nil {
		return nil, fmt.Errorf("read what is due in outbox_parked: %w", explain(err))
	}
	defer rows.Close()
	var found []Due
	for size := 0; size < pageBytes && rows.Next(); {
		d := Due{}
		var seconds float64
		if d.Record, err = scanRecord(rows, &d.State, &d.Reason, &d.Attempts, &seconds); err != nil {
			return nil, fmt.Errorf("read what is due in outbox_parked: %w", err)
		}
		d.Age = time.Duration(seconds * float64(time.Second))
		size += len(d.Record.Payload)
		found = append(found, d)
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read what is due in outbox_parked: %w", explain(err))
	}
	return found, nil
}

// NextDue tells in what time the next parked message is due that is not in work,
// negative when it is overdue; ok is false when there is none. version is as
// in [Saved].
func (t *Tenure) NextDue(ctx context.Context, inWork []int64) (wait time.Duration, ok bool, version int64, err error) {
	var seconds *float64
	row := t.log.pool.QueryRow(ctx, t.log.query("next_due"), t.shard, t.shards, inWork)
	if err := row.Scan(&version, &seconds); err != nil {
		return 0, false, 0, fmt.Errorf("read when outbox_parked is due: %w", explain(lost(err)))
	}
	if seconds == nil {
		return 0, false, version, nil
	}
	return time.Duration(*seconds * float64(time.Second)), true, version, nil
}

// writeParked writes what a progress says of parked messages.
func (t *Tenure) writeParked(ctx context.Context, tx pgx.Tx, p Progress, saved *Saved) error {
	batch := &pgx.Batch{}
	if len(p.Parked) > 0 {
		batch.Queue(t.log.query("park"), columns(p.Parked)...)
	}
	if len(p.Unparked) > 0 {
		batch.Queue(t.log.query("unpark"), p.Unparked)
	}
	if len(p.Recovered) > 0 {
		exchanges, keys := make([]string, len(p.Recovered)), make([]string, len(p.Recovered))
		for i, d := range p.Recovered {
			exchanges[i], keys[i] = d.Exchange, d.RoutingKey
		}
		batch.Queue(t.log.query("recovered"), exchanges, keys, t.shard, t.shards)
	}
	batch.Queue(t.log.query("promote"), p.Touched)
	batch.Queue(t.log.query("still_blocked"), p.Touched).Query(func(rows pgx.Rows) (err error) {
		saved.Blocked, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("write outbox_parked: %w", err)
	}
	return nil
}

// columns are the parameters of park.sql.
func columns(parked []Parking) []any {
	n := len(parked)
	ids, attempts := make([]int64, n), make([]int32, n)
	keys, exchanges, routes := make([]string, n), make([]string, n), make([]string, n)
	states, reasons, errs := make([]string, n), make([]string, n), make([]string, n)
	delays, due := make([]float64, n), make([]*time.Time, n)
	for i, p := range parked {
		r := p.Record
		ids[i], attempts[i] = r.Position, int32(min(p.Attempts, 1<<30)) // #nosec G115 -- bounded
		keys[i], exchanges[i], routes[i] = r.AggregateID, r.Exchange, r.RoutingKey
		states[i], reasons[i], errs[i] = string(p.State), p.Reason, p.Error
		delays[i] = p.Delay.Seconds()
		if !r.DeliverAt.IsZero() {
			due[i] = &r.DeliverAt
		}
	}
	return []any{ids, keys, exchanges, routes, states, reasons, errs, attempts, delays, due}
}
