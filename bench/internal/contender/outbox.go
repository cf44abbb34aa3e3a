package contender

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"go.example/saga/bench/internal/wire"
)

const (
	// transaction is how many rows are inserted in one: a backlog is made of many
	// transactions, and the log is read by them.
	transaction = 500
	// fillers insert at the same time, so that transactions overlap.
	fillers = 2
)

// FillOutbox inserts the job's messages from number first up to end into
// public.outbox.
func FillOutbox(ctx context.Context, job Job, first, end int) error {
	var next atomic.Int64
	next.Store(int64(first))
	group, ctx := errgroup.WithContext(ctx)
	for range fillers {
		group.Go(func() error {
			conn, err := pgx.Connect(ctx, job.Database)
			if err != nil {
				return fmt.Errorf("connect to insert messages: %w", err)
			}
			defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
			return fill(ctx, conn, job.source(), &next, end)
		})
	}
	return group.Wait()
}

// fill takes numbers from next until end.
func fill(ctx context.Context, conn *pgx.Conn, source wire.Source, next *atomic.Int64, end int) error {
	// Only faster: what is measured comes later.
	if _, err := conn.Exec(ctx, `SET synchronous_commit = off`); err != nil {
		return fmt.Errorf("insert messages: %w", err)
	}
	for {
		from := int(next.Add(transaction)) - transaction
		if from >= end {
			return nil
		}
		if err := insert(ctx, conn, source, from, min(from+transaction, end)); err != nil {
			return fmt.Errorf("insert messages into the outbox: %w", err)
		}
	}
}

var outboxColumns = []string{
	"event_id", "aggregate_type", "aggregate_id", "type", "exchange", "routing_key",
	"correlation_id", "reply_to", "content_type", "headers", "payload",
}

// insert is one transaction.
func insert(ctx context.Context, conn *pgx.Conn, source wire.Source, from, end int) error {
	rows := pgx.CopyFromSlice(end-from, func(i int) ([]any, error) {
		m := source.Message(from + i)
		headers, err := json.Marshal(m.Headers)
		return []any{
			m.ID, m.AggregateType, m.AggregateID, m.Type, m.Exchange, m.RoutingKey,
			m.CorrelationID, m.ReplyTo, m.ContentType, headers, []byte(m.Payload),
		}, err
	})
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"public", "outbox"}, outboxColumns, rows)
	return err
}
