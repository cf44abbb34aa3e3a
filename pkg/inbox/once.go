package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	sagasql "go.example/saga/sql"
)

const (
	// DefaultRemember is that of [Config.Remember].
	DefaultRemember = 90 * 24 * time.Hour
	// MinRemember is the least: a day.
	MinRemember = 24 * time.Hour
)

// RightsOnce are what [Once] needs beside [Rights].
var RightsOnce = []sagasql.Right{
	{On: "inbox_handled", Privileges: "SELECT, INSERT, DELETE"},
	{On: "inbox_forgotten", Privileges: "SELECT, INSERT, UPDATE"},
}

// Once is the configuration of a consumer that handles each event once: handle is called
// with a transaction and one event, and what it writes commits together with the event's id.
// An event that comes again, whoever repeats it, changes nothing. Ids are those of messages
// (message_id), and count for each consumer, by its Name, for itself.
//
//	err := inbox.Run(ctx, inbox.Once(inbox.Config{
//		Name: "mailer", Service: "orders", DB: pool, Open: rabbit.HearEvents(broker, "", "hotel.room.booked"),
//	}, func(ctx context.Context, tx pgx.Tx, event inbox.Delivery) error { … }))
//
// An error means that it did not work: everything is rolled back, and it is tried again, see
// the package's documentation. [SetAside] says that it never will. handle gets the events of
// a batch in their order, one after the other; what comes out of order it has to bear.
//
// Old ids are forgotten, see [Config.Remember]. An event that was sent before what is
// forgotten, and has no id here, may have been handled: it goes to the quarantine, and is
// not handled. Age is that of the message's timestamp, which its copies share. Ids of
// messages without one are kept for ever.
func Once(cfg Config, handle func(ctx context.Context, tx pgx.Tx, event Delivery) error) Config {
	o := &once{
		consumer: cfg.Name, handle: handle,
		claim: sagasql.Query(cfg.Schema, "inbox/claim.sql"), forgotten: sagasql.Query(cfg.Schema, "inbox/forgotten_to.sql"),
		unclaim: sagasql.Query(cfg.Schema, "inbox/unclaim.sql"), forget: sagasql.Query(cfg.Schema, "inbox/forget_handled.sql"),
	}
	cfg.once = o
	cfg.Handle = nil
	if handle != nil {
		cfg.Handle = o.batch
	}
	return cfg
}

// SetAside is the error of a handler of [Once] for an event that can never be handled. What
// the handler wrote is rolled back, and the message goes to the quarantine; put back, it is
// handled as if it were new. The reason is a sentence for the operator that does not quote the body.
func SetAside(code Code, reason string) error { return &setAside{code, reason} }

type setAside struct {
	code   Code
	reason string
}

func (s *setAside) Error() string { return "set aside: " + s.reason }

type once struct {
	consumer                          string
	handle                            func(context.Context, pgx.Tx, Delivery) error
	claim, forgotten, unclaim, forget string
}

// batch is the [Handler]. A second copy in one batch is passed over like one that comes later.
func (o *once) batch(ctx context.Context, tx pgx.Tx, ds []Delivery) (rejected []Rejection, err error) {
	var places []int
	var ids []string
	var sent []*time.Time
	seen := map[string]bool{}
	for i, d := range ds {
		switch {
		case d.MessageID == "" || storable(d.MessageID) != d.MessageID:
			rejected = append(rejected, Rejection{Index: i, Code: Undecodable, Reason: "message_id is missing or cannot be stored: without it nobody can tell whether the event was handled"})
		case !seen[d.MessageID]:
			seen[d.MessageID] = true
			places, ids, sent = append(places, i), append(ids, d.MessageID), append(sent, sentAt(d))
		}
	}
	fresh, forgottenTo, err := o.take(ctx, tx, ids, sent)
	if err != nil {
		return nil, err
	}
	var back []string
	for n, place := range places {
		if !fresh[ids[n]] {
			continue
		}
		err := o.one(ctx, tx, ds[place], sent[n], forgottenTo)
		var aside *setAside
		if errors.As(err, &aside) {
			rejected = append(rejected, Rejection{Index: place, Code: aside.code, Reason: aside.reason})
			back = append(back, ids[n])
		} else if err != nil {
			return nil, err
		}
	}
	if len(back) > 0 {
		if _, err := tx.Exec(ctx, o.unclaim, o.consumer, back); err != nil {
			return nil, fmt.Errorf("give back events that are set aside: %w", err)
		}
	}
	return rejected, nil
}

func sentAt(d Delivery) *time.Time {
	if d.Timestamp.IsZero() {
		return nil
	}
	return &d.Timestamp
}

// take writes the ids, and returns those that were not there, and up to when ids are forgotten.
func (o *once) take(ctx context.Context, tx pgx.Tx, ids []string, sent []*time.Time) (fresh map[string]bool, forgottenTo *time.Time, err error) {
	fresh = map[string]bool{}
	batch := &pgx.Batch{}
	batch.Queue(o.claim, o.consumer, ids, sent).Query(func(rows pgx.Rows) error {
		claimed, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, id := range claimed {
			fresh[id] = true
		}
		return err
	})
	batch.Queue(o.forgotten, o.consumer).QueryRow(func(row pgx.Row) error { return row.Scan(&forgottenTo) })
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, nil, fmt.Errorf("look which events were handled before: %w", err)
	}
	return fresh, forgottenTo, nil
}

// one handles an event that is new here, behind a savepoint.
func (o *once) one(ctx context.Context, tx pgx.Tx, d Delivery, sent, forgottenTo *time.Time) error {
	if sent != nil && forgottenTo != nil && !sent.After(*forgottenTo) {
		return SetAside(Unexpected, fmt.Sprintf("it was sent at %s, and what was sent up to %s is forgotten here: whether it was handled cannot be told",
			sent.UTC().Format(time.RFC3339), forgottenTo.UTC().Format(time.RFC3339)))
	}
	return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return o.handle(ctx, tx, d) })
}

// forgetHandled deletes the ids that are old, in short transactions.
func (c *consumer) forgetHandled(ctx context.Context) {
	if c.once == nil || c.Remember < 0 {
		return
	}
	for ctx.Err() == nil {
		var gone int
		err := pgx.BeginTxFunc(ctx, c.DB, inTransaction, func(tx pgx.Tx) error {
			return tx.QueryRow(ctx, c.once.forget, c.Name, time.Now(), c.Remember.Seconds(), forgetSlice).Scan(&gone)
		})
		if err != nil && ctx.Err() == nil {
			c.Log.Warn("the ids of old events stay in inbox_handled", zap.Error(err))
		}
		if err != nil || gone < forgetSlice {
			return
		}
	}
}

// forgetSlice is how many ids a transaction forgets.
const forgetSlice = 1000
