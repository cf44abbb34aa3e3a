package contender

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/components/forwarder"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rabbitmq/amqp091-go"

	"go.example/saga/bench/internal/wire"
)

// Watermill's outbox is its forwarder: messages are wrapped into envelopes in a
// table, and a router publishes what its SQL subscriber reads from there.

// watermillTable reads ten times the default at once, which costs fewer sorts of
// the backlog.
var watermillTable = sql.DefaultPostgreSQLSchema{SubscribeBatchSize: 1000}

// fillWatermill writes through the library's own publisher.
func fillWatermill(ctx context.Context, job Job) error {
	pool, err := pgxpool.New(ctx, job.Database)
	if err != nil {
		return fmt.Errorf("connect for watermill: %w", err)
	}
	defer pool.Close()
	table, err := sql.NewPublisher(sql.BeginnerFromPgx(pool),
		sql.PublisherConfig{SchemaAdapter: watermillTable, AutoInitializeSchema: true}, watermill.NopLogger{})
	if err != nil {
		return fmt.Errorf("open watermill's table: %w", err)
	}
	publisher := forwarder.NewPublisher(table, forwarder.PublisherConfig{})
	source := job.source()
	for first := 0; first < job.Rows; first += transaction {
		var messages []*message.Message
		for n := first; n < min(first+transaction, job.Rows); n++ {
			messages = append(messages, watermillMessage(ctx, source, n))
		}
		if err := publisher.Publish(job.Queue, messages...); err != nil {
			return fmt.Errorf("insert messages into watermill's table: %w", err)
		}
	}
	return nil
}

func watermillMessage(ctx context.Context, source wire.Source, n int) *message.Message {
	m := source.Message(n)
	wrapped := message.NewMessageWithContext(ctx, m.ID.String(), message.Payload(m.Payload))
	wrapped.Metadata = wire.Headers(m)
	return wrapped
}

func runWatermill(ctx context.Context, job Job) error {
	pool, err := pgxpool.New(ctx, job.Database)
	if err != nil {
		return fmt.Errorf("connect for watermill: %w", err)
	}
	defer pool.Close()
	subscriber, err := sql.NewSubscriber(sql.BeginnerFromPgx(pool), sql.SubscriberConfig{
		SchemaAdapter:    watermillTable,
		OffsetsAdapter:   sql.DefaultPostgreSQLOffsetsAdapter{},
		PollInterval:     10 * time.Millisecond,
		InitializeSchema: true,
	}, watermill.NopLogger{})
	if err != nil {
		return fmt.Errorf("open watermill's table: %w", err)
	}
	publisher, err := amqp.NewPublisher(watermillBroker(job.AMQP), watermill.NopLogger{})
	if err != nil {
		return fmt.Errorf("open watermill's publisher: %w", err)
	}
	defer func() { _ = publisher.Close() }()
	relay, err := forwarder.NewForwarder(subscriber, publisher, watermill.NopLogger{}, forwarder.Config{})
	if err != nil {
		return fmt.Errorf("make watermill's forwarder: %w", err)
	}
	return relay.Run(ctx)
}

// watermillBroker publishes to the default exchange with confirms, on a channel
// that stays open.
func watermillBroker(url string) amqp.Config {
	config := amqp.NewDurableQueueConfig(url)
	config.Publish.ConfirmDelivery = true
	config.Publish.ChannelPoolSize = 1
	config.Publish.Mandatory = true
	config.Marshaler = amqp.DefaultMarshaler{
		MessageUUIDHeaderKey: wire.HeaderID,
		PostprocessPublishing: func(p amqp091.Publishing) amqp091.Publishing {
			return wire.Properties(p, time.Now())
		},
	}
	return config
}
