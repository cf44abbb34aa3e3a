package outboxpg

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

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
	Calling   = desk.Calling
	CallDead  = desk.CallDead
	Waiting   = desk.Waiting
	Dead      = desk.Dead
	Discarded = desk.Discarded
)

// Blocked returns the aggregates whose messages must be parked behind others.
func (t *Tenure) Blocked(ctx context.Context) ([]string, error) {
	keys, err := list(ctx, t.log, t.log.query("blocked"), []any{t.shard, t.shards}, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read which aggregates wait in outbox_parked: %w", explain(err))
	}
	return keys, nil
}

// Due returns parked messages whose time has come, at most heads and behind each
// that is a [Retry] some that wait for it. Those in work are left out. A message
// may come twice, as its own and behind another.
func (t *Tenure) Due(ctx context.Context, heads int, inWork []int64) ([]Due, error) {
	found, err := t.due(ctx, heads, inWork)
	if err != nil {
		return nil, fmt.Errorf("read what is due in outbox_parked: %w", explain(err))
	}
	return found, nil
}

func (t *Tenure) due(ctx context.Context, heads int, inWork []int64) ([]Due, error) {
	found, err := list(ctx, t.log, t.log.query("due"), []any{t.shard, t.shards, heads, inWork}, scanDue)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(found))
	for i, d := range found {
		ids[i] = d.Record.Position
	}
	records, err := t.log.readByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*outbox.Record, len(records))
	for _, r := range records {
		byID[r.Position] = r
	}
	read := found[:0]
	for _, d := range found {
		r := byID[d.Record.Position]
		if r == nil {
			continue // gone meanwhile, or more than fits into memory at once
		}
		if r.Unreadable != nil { // what was known of it stays
			known := d.Record
			r.ID, r.AggregateID, r.Exchange, r.RoutingKey = known.ID, known.AggregateID, known.Exchange, known.RoutingKey
		}
		d.Record = r
		read = append(read, d)
	}
	return read, nil
}

// scanDue reads what outbox_parked knows of a message that is due.
func scanDue(row pgx.CollectableRow) (Due, error) {
	d := Due{Record: new(outbox.Record)}
	var eventID pgtype.UUID
	var age, accepted float64
	err := row.Scan(&d.Record.Position, &eventID, &d.Record.AggregateID, &d.Record.Exchange, &d.Record.RoutingKey,
		&d.State, &d.Reason, &d.Attempts, &age, &accepted)
	d.Record.ID = eventID.Bytes
	d.Age, d.Accepted = time.Duration(age*float64(time.Second)), time.Duration(accepted*float64(time.Second))
	return d, err
}

// NextDue tells in what time the next parked message is due that is not in work,
// negative when it is overdue; ok is false when there is none. version is as
// in [Saved].
func (t *Tenure) NextDue(ctx context.Context, inWork []int64) (wait time.Duration, ok bool, version int64, err error) {
	var seconds *float64
	err = t.log.call(ctx, t.log.query("next_due"), []any{t.shard, t.shards, inWork}, &version, &seconds)
	if err != nil {
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
		ids, events := make([]int64, len(p.Unparked)), make([]pgtype.UUID, len(p.Unparked))
		for i, r := range p.Unparked {
			ids[i], events[i] = r.Position, eventID(r)
		}
		batch.Queue(t.log.query("unpark"), ids, events)
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
	delays, due, events := make([]float64, n), make([]*time.Time, n), make([]pgtype.UUID, n)
	accepted := make([]bool, n)
	for i, p := range parked {
		r := p.Record
		ids[i], attempts[i] = r.Position, int32(min(p.Attempts, 1<<30)) // #nosec G115 -- bounded
		keys[i], exchanges[i], routes[i] = r.AggregateID, r.Exchange, r.RoutingKey
		states[i], reasons[i], errs[i] = string(p.State), p.Reason, p.Error
		delays[i], events[i], accepted[i] = p.Delay.Seconds(), eventID(r), p.Accepted
		if !r.DeliverAt.IsZero() {
			due[i] = &r.DeliverAt
		}
	}
	return []any{ids, keys, exchanges, routes, states, reasons, errs, attempts, delays, due, events, accepted}
}

// eventID is null where the row's could not be read.
func eventID(r *outbox.Record) pgtype.UUID { return pgtype.UUID{Bytes: r.ID, Valid: r.ID != uuid.Nil} }
