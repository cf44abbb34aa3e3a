package orchestrator

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	sagasql "go.example/saga/sql"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
)

func deliveries(ds ...inbox.Delivery) []inbox.Delivery { return ds }

// Two orchestrators read one queue in which every reply lies two or three times, in
// any order, with poison between. Every saga ends as its participants answered.
func TestTwoOrchestratorsOnOneQueueWithDuplicates(t *testing.T) {
	b := setup(t)
	url := testenv.Vhost(t)
	broker := rabbit.Config{Name: "test", URL: func(context.Context) (string, error) { return url, nil }}
	require.NoError(t, rabbit.Declare(b.ctx, broker, rabbit.ReplyTopology(testenv.Owner)))

	ctx, stop := context.WithCancel(b.ctx)
	ended := make(chan error, 2)
	for range 2 {
		consumer := inbox.Config{
			Name: "orchestrator", Service: testenv.Service, DB: b.db, Handle: b.engine().Handle, MaxBatch: 10,
			Open: func(ctx context.Context, _ sagasql.Service) (inbox.Source, error) {
				return rabbit.OpenConsumer(ctx, broker, rabbit.ReplyTopology(testenv.Owner), protocol.ReplyQueue(testenv.Service), 20)
			},
		}
		go func() { ended <- inbox.Run(ctx, consumer) }()
	}
	const sagas = 40
	ids := b.start(sagas)
	refused := map[saga.ID]bool{}
	for i, id := range ids {
		refused[id] = i%4 == 0
	}
	world := participants{bench: b, broker: broker, refused: refused}
	deadline, poll := time.After(soon), time.NewTicker(tick)
	defer poll.Stop()
	for b.count(`SELECT count(*) FROM saga WHERE ended_at IS NOT NULL`) < sagas {
		world.answerNew()
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatal("not all sagas ended in time")
		}
	}
	stop()
	require.NoError(t, <-ended)
	require.NoError(t, <-ended)

	for _, id := range ids {
		want := "COMPLETED "
		if refused[id] {
			want = "ABORTED "
		}
		require.Equal(t, want, b.status(id))
	}
	require.Equal(t, sagas, b.count(`SELECT count(*) FROM outbox WHERE exchange = 'saga.events'`))
	require.Equal(t, 2*sagas+sagas/4, b.count(`SELECT count(*) FROM outbox WHERE exchange = 'saga.commands'`))
	require.NotZero(t, b.count(`SELECT count(*) FROM saga_history WHERE disposition IN ('duplicate', 'late')`))
	require.Zero(t, b.count(`SELECT count(*) FROM saga_history WHERE disposition IN ('quarantined', 'parked')`))
	require.NotZero(t, b.count(`SELECT count(*) FROM inbox_quarantine`))
	b.sound()
}

// participants answer the commands that the orchestrators put into the outbox.
type participants struct {
	*bench
	broker  rabbit.Config
	refused map[saga.ID]bool
	seen    int64
}

// answerNew answers the commands that have come since the last call.
func (p *participants) answerNew() {
	rows, err := p.db.Query(p.ctx, `SELECT id, event_id, reply_to, headers, payload::text::bytea FROM outbox
		WHERE id > $1 AND exchange = 'saga.commands' ORDER BY id`, p.seen)
	require.NoError(p, err)
	var replies []outbox.Message
	var id int64
	var event uuid.UUID
	d := inbox.Delivery{ContentType: "application/json"}
	_, err = pgx.ForEachRow(rows, []any{&id, &event, &d.ReplyTo, &d.Headers, &d.Body}, func() error {
		p.seen = id
		d.MessageID = event.String()
		cmd, err := protocol.DecodeCommand(d)
		require.NoError(p, err)
		reply, err := protocol.ReplyMessage(cmd, protocol.Reply{Outcome: p.outcome(cmd)})
		require.NoError(p, err)
		for range 2 + rand.IntN(2) {
			replies = append(replies, reply)
		}
		return nil
	})
	require.NoError(p, err)
	if len(replies) == 0 {
		return
	}
	stranger, err := protocol.ReplyMessage(command(saga.ID(uuid.New()), "hotel", saga.Request, 1), protocol.Reply{Outcome: saga.OutcomeSucceeded})
	require.NoError(p, err)
	replies = append(replies, stranger)
	rand.Shuffle(len(replies), func(i, j int) { replies[i], replies[j] = replies[j], replies[i] })
	p.publish(replies)
}

func (p *participants) outcome(cmd protocol.Command) saga.Outcome {
	switch {
	case cmd.Operation == saga.Cancel:
		return saga.OutcomeCompensated
	case cmd.Step == "flight" && p.refused[cmd.SagaID]:
		return saga.OutcomeFailed
	}
	return saga.OutcomeSucceeded
}

func (p *participants) publish(messages []outbox.Message) {
	publisher, err := rabbit.OpenPublisher(p.ctx, p.broker, len(messages))
	require.NoError(p, err)
	defer publisher.Close()
	for _, m := range messages {
		wait, err := publisher.Publish(p.ctx, &outbox.Record{Message: m})
		require.NoError(p, err)
		require.NoError(p, wait(p.ctx))
	}
}
