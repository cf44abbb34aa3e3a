// Package sampletest asks a participant of the sample for its step as the
// orchestrator would: through decoding, barrier, savepoint and outbox, with only
// the broker left out.
package sampletest

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
	sagasql "go.example/saga/sql"
)

// Service is a participant that runs until the test ends.
type Service struct {
	db    *pgxpool.Pool
	step  string
	queue chan delivered
}

// Answer is the reply that went into the outbox.
type Answer struct {
	Outcome saga.Outcome
	// Body is the output, or the problem.
	Body map[string]any
}

// Start runs a participant with one step on a migrated database.
func Start(t testing.TB, db *pgxpool.Pool, step string, work participant.Step) *Service {
	t.Helper()
	owner, err := sagasql.LoadService(t.Context(), db, "", "")
	require.NoError(t, err)
	s := &Service{db: db, step: step, queue: make(chan delivered)}
	p, err := participant.New(participant.Config{
		Service: owner.Name, DB: db, WithoutRelay: true, Steps: map[string]participant.Step{step: work},
		Open: func(context.Context, sagasql.Service) (inbox.Source, error) { return s, nil },
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	return s
}

// Ask sends a command and returns the answer to it.
func (s *Service) Ask(t testing.TB, id uuid.UUID, op saga.Operation, attempt int, payload jsonmap.JSONMap) (a Answer) {
	t.Helper()
	m, err := protocol.CommandMessage("callers",
		saga.State{ID: saga.ID(id), Type: "test"},
		saga.SendCommand{Step: s.step, Operation: op, Attempt: attempt, Destination: s.step, Payload: payload})
	require.NoError(t, err)
	before := s.last(t, nil)
	d := delivered{delivery: Delivery(m), acked: make(chan struct{})}
	s.queue <- d
	<-d.acked
	require.Greater(t, s.last(t, &a), before, "the command was not answered")
	return a
}

func (s *Service) last(t testing.TB, a *Answer) (position int64) {
	t.Helper()
	var body []byte
	var outcome saga.Outcome
	require.NoError(t, s.db.QueryRow(context.Background(), `SELECT coalesce(max(id), 0),
		coalesce((array_agg(headers ->> $1 ORDER BY id DESC))[1], ''),
		coalesce((array_agg(payload ORDER BY id DESC))[1], '{}') FROM outbox`, protocol.HeaderSagaOutcome).
		Scan(&position, &outcome, &body))
	if a != nil {
		a.Outcome = outcome
		require.NoError(t, json.Unmarshal(body, &a.Body))
	}
	return position
}

// Delivery is what the broker makes of a message.
func Delivery(m outbox.Message) inbox.Delivery {
	return inbox.Delivery{
		MessageID: m.ID.String(), CorrelationID: m.CorrelationID, Type: m.Type, ReplyTo: m.ReplyTo,
		ContentType: m.ContentType, Exchange: m.Exchange, RoutingKey: m.RoutingKey,
		Headers: m.Headers, Body: m.Payload,
	}
}

// delivered is a batch of one.
type delivered struct {
	delivery inbox.Delivery
	acked    chan struct{}
}

func (d delivered) Deliveries() []inbox.Delivery { return []inbox.Delivery{d.delivery} }

func (d delivered) Ack() error {
	close(d.acked)
	return nil
}

// AckOnly implements [inbox.Batch].
func (d delivered) AckOnly(int) error { return d.Ack() }

// Receive implements [inbox.Source].
func (s *Service) Receive(ctx context.Context, _ int) (inbox.Batch, error) {
	select {
	case d := <-s.queue:
		return d, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close implements [inbox.Source].
func (s *Service) Close() error { return nil }
