package languages

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"go.example/saga/internal/app/orchestrator"
	"go.example/saga/internal/app/relay"
	"go.example/saga/internal/cli/orchestratorcmd"
	"go.example/saga/internal/config"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga/sagapg"
	"go.example/saga/pkg/saga/sagayaml"
	sagasql "go.example/saga/sql"
)

const (
	sagas      = 100
	unreadable = 4 // messages for each participant
)

// plan is what becomes of a saga: one participant may refuse, or fail for technical reasons.
type plan struct{ refuses, fails string }

func planOf(i int) plan {
	l := languages[i%len(languages)].service
	switch i % 10 {
	case 4, 5, 6:
		return plan{refuses: l}
	case 7, 8, 9:
		return plan{fails: l}
	}
	return plan{}
}

func (p plan) payload() jsonmap.JSONMap {
	payload := jsonmap.JSONMap{}
	for _, l := range languages {
		switch l.service {
		case p.fails: // for lack of its amount
		case p.refuses:
			payload[l.column] = l.refused
		default:
			payload[l.column] = 3
		}
	}
	return payload
}

// Three participants, each written from docs/protocol.md in a language of its own, carry out
// sagas of all ends. Everything comes twice, their programs are killed, and messages that are
// no commands lie in between: each effect stands exactly once, or was taken back.
func TestForeignParticipants(t *testing.T) {
	t.Parallel()
	testenv.Connections(t, 60)
	broker, roles := testenv.Vhost(t), testenv.DocumentedRoles(t)
	home := testenv.Database(t)
	store, text := definition(t)
	settings := "database_url: " + home.Config().ConnString() + "\nservice: orders"
	run(t, orchestratorcmd.New(), settings, "migrate")
	file := filepath.Join(t.TempDir(), "trip.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	run(t, orchestratorcmd.New(), settings, "definition", "apply", file)
	def, err := sagayaml.Parse([]byte(text))
	require.NoError(t, err)

	urls := home.Config().ConnString()
	participants := make([]*foreign, len(languages))
	for i, l := range languages {
		participants[i] = enter(t, l, roles, broker)
		urls += " " + roles.URL(t, participants[i].db, "saga_relay")
	}
	copier := openCopier(t, broker)
	inBackground(t, "relay", func(ctx context.Context) error {
		r := relay.DefaultSettings()
		r.DatabaseURLs, r.AMQPURL, r.LogLevel = config.Secret(urls), config.Secret(broker), "error"
		return relay.Run(ctx, r)
	})
	inBackground(t, "orchestrator", func(ctx context.Context) error {
		o := orchestrator.DefaultSettings()
		o.DatabaseURL, o.AMQPURL, o.LogLevel = config.Secret(home.Config().ConnString()), config.Secret(broker), "error"
		return orchestrator.Run(ctx, o)
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, p := range participants {
		require.NoError(t, p.await(ctx, "SELECT count(*) FROM outbox_position WHERE lease_until > now()", 1))
		p.start(0)
		p.start(1)
		copier.awaitConsumers(t, "saga.command."+p.service, 2)
		copier.poison(t, "saga.command."+p.service)
	}

	ids := make([]uuid.UUID, sagas)
	require.NoError(t, pgx.BeginFunc(ctx, home, func(tx pgx.Tx) error {
		for i := range ids {
			id, _, err := store.Start(ctx, tx, def, sagapg.StartRequest{Payload: planOf(i).payload()})
			if err != nil {
				return err
			}
			ids[i] = uuid.UUID(id)
		}
		return nil
	}))
	var together errgroup.Group
	for _, p := range participants {
		together.Go(func() error { return p.disturb(ctx, sagas*9/10) })
	}
	require.NoError(t, together.Wait())
	awaitEnd(t, ctx, home)
	for _, p := range participants {
		// Each command was sent, and copied, and all of them were answered.
		require.NoError(t, p.await(ctx, "SELECT count(*) FROM outbox", 2*copier.of(p.service)))
		require.GreaterOrEqual(t, copier.of(p.service), sagas)
	}
	for i, id := range ids {
		planOf(i).check(t, id, home, participants)
	}
	count(t, home, 0, `SELECT count(*) FROM inbox_quarantine`)
	for _, p := range participants {
		copier.awaitDead(t, "saga.dead."+p.service)
		// A participant in Go could take over: what it would declare is there already.
		var owner sagasql.Service
		require.NoError(t, p.db.QueryRow(ctx, `SELECT name, id FROM saga_service`).Scan(&owner.Name, &owner.ID))
		cfg := rabbit.Config{Name: "next", URL: func(context.Context) (string, error) { return broker, nil }}
		require.NoError(t, rabbit.Declare(ctx, cfg, rabbit.CommandTopology(owner)))
	}
}

// definition is the example's, whose technical errors are not waited for as long.
func definition(t *testing.T) (*sagapg.Store, string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder(t, ""), "trip.yaml"))
	require.NoError(t, err)
	hasty := strings.Replace(string(text), "timeout: 10s,", "timeout: 10s, retry_for: 2s,", 1)
	require.NotEqual(t, string(text), hasty)
	return sagapg.New("", "orders"), hasty
}

func inBackground(t *testing.T, name string, work func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done, name)
	})
}

func awaitEnd(t *testing.T, ctx context.Context, home *pgxpool.Pool) {
	t.Helper()
	var states string
	require.Eventually(t, func() bool {
		var ended int
		err := home.QueryRow(ctx, `SELECT count(*) FILTER (WHERE status IN ('COMPLETED', 'ABORTED')),
			(SELECT string_agg(s.status || ' ' || s.n, ', ') FROM (SELECT status, count(*) AS n FROM saga GROUP BY status) AS s) FROM saga`).
			Scan(&ended, &states)
		return err == nil && ended == sagas
	}, patience, 20*time.Millisecond, "not all sagas end")
	t.Log(states)
}

// check compares the saga's end with what stands at its participants.
func (p plan) check(t *testing.T, id uuid.UUID, home *pgxpool.Pool, participants []*foreign) {
	t.Helper()
	want, class := "COMPLETED", ""
	switch {
	case p.refuses != "":
		want, class = "ABORTED", "refused "+p.refuses
	case p.fails != "":
		want, class = "ABORTED", "unavailable "+p.fails
	}
	var status, failure string
	require.NoError(t, home.QueryRow(t.Context(), `SELECT status, coalesce(concat(failure ->> 'class', ' ', failure ->> 'step'), '') FROM saga WHERE id = $1`, id).
		Scan(&status, &failure))
	require.Equal(t, want, status, "saga %s: %+v, %s", id, p, failure)
	require.Equal(t, class, strings.TrimSpace(failure), "saga %s", id)
	for _, f := range participants {
		rows, err := f.db.Query(t.Context(), fmt.Sprintf(`SELECT %s::int FROM %s WHERE saga = $1 ORDER BY 1 DESC`, f.column, f.table), id)
		require.NoError(t, err)
		amounts, err := pgx.CollectRows(rows, pgx.RowTo[int])
		require.NoError(t, err)
		switch {
		case want == "COMPLETED":
			require.Equal(t, []int{3}, amounts, "%s of saga %s", f.table, id)
		case f.service == p.refuses || f.service == p.fails:
			require.Empty(t, amounts, "%s of saga %s, which it did not carry out", f.table, id)
		case len(amounts) > 0: // none where the CANCEL came first
			require.Equal(t, []int{3, -3}, amounts, "%s of saga %s", f.table, id)
		}
	}
}

func count(t *testing.T, db *pgxpool.Pool, want int, query string) {
	t.Helper()
	var n int
	require.NoError(t, db.QueryRow(t.Context(), query).Scan(&n))
	require.Equal(t, want, n, query)
}

// copier sends each command once more, and what is none.
type copier struct {
	channel *amqp.Channel
	look    *amqp.Connection
	copies  map[string]*atomic.Int64
}

func openCopier(t *testing.T, url string) *copier {
	t.Helper()
	connection, err := amqp.Dial(url)
	require.NoError(t, err)
	channel, err := connection.Channel()
	require.NoError(t, err)
	require.NoError(t, channel.ExchangeDeclare("saga.commands", "topic", true, false, false, false, nil))
	queue, err := channel.QueueDeclare("copies", false, false, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, channel.QueueBind(queue.Name, "#", "saga.commands", false, nil))
	deliveries, err := channel.Consume(queue.Name, "", true, true, false, false, nil)
	require.NoError(t, err)
	c := &copier{channel: channel, look: connection, copies: map[string]*atomic.Int64{}}
	for _, l := range languages {
		c.copies[l.service] = &atomic.Int64{}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for d := range deliveries {
			if err := c.publish("saga.command."+d.RoutingKey, publishing(d)); err != nil {
				t.Errorf("copy a command: %v", err)
			}
			c.copies[d.RoutingKey].Add(1)
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, connection.Close())
		<-done
	})
	return c
}

func publishing(d amqp.Delivery) amqp.Publishing {
	return amqp.Publishing{
		MessageId: d.MessageId, Type: d.Type, CorrelationId: d.CorrelationId, ContentType: d.ContentType, ReplyTo: d.ReplyTo,
		DeliveryMode: d.DeliveryMode, Timestamp: d.Timestamp, AppId: d.AppId, Headers: d.Headers, Body: d.Body,
	}
}

func (c *copier) publish(queue string, p amqp.Publishing) error {
	return c.channel.PublishWithContext(context.Background(), "", queue, true, false, p)
}

func (c *copier) of(service string) int { return int(c.copies[service].Load()) }

// poison are messages that no client and no function may stumble over.
func (c *copier) poison(t *testing.T, queue string) {
	t.Helper()
	id := uuid.NewString()
	headers := func(saga string) amqp.Table {
		return amqp.Table{
			"cloudEvents_sagaid": saga, "cloudEvents_sagatype": "trip", "cloudEvents_sagastep": "x", "cloudEvents_sagaop": "REQUEST",
			"cloudEvents_sagaattempt": "1", "cloudEvents_sagakey": saga + "/x/REQUEST",
		}
	}
	for _, p := range []amqp.Publishing{
		{},
		{MessageId: "\x00", ReplyTo: "\x00", Headers: amqp.Table{"a": int64(1), "t": time.Now(), "b": []byte{0xff}, "n": "\x00", "l": amqp.Table{"x": []any{1.5, nil}}}, Body: []byte("{")},
		{MessageId: id, ReplyTo: "r", ContentType: "application/json", Headers: headers(id), Body: []byte(`{"payload": {"a": "\u0000"}}`)},
		{MessageId: id, ReplyTo: "r", ContentType: "application/json", ContentEncoding: "gzip", Headers: headers(id), Body: []byte{0x1f, 0x8b, 0xff}},
	} {
		require.NoError(t, c.publish(queue, p))
	}
}

// awaitConsumers waits until a queue has so many.
func (c *copier) awaitConsumers(t *testing.T, name string, n int) {
	t.Helper()
	c.await(t, name, func(q amqp.Queue) bool { return q.Consumers == n })
}

// awaitDead waits until all that was unreadable, and nothing else, lies there.
func (c *copier) awaitDead(t *testing.T, name string) {
	t.Helper()
	c.await(t, name, func(q amqp.Queue) bool { return q.Messages == unreadable })
}

func (c *copier) await(t *testing.T, name string, is func(amqp.Queue) bool) {
	t.Helper()
	var q amqp.Queue
	require.Eventually(t, func() bool {
		channel, err := c.look.Channel() // the broker closes one that asks for a queue that is not there
		if err != nil {
			return false
		}
		defer func() { _ = channel.Close() }()
		q, err = channel.QueueDeclarePassive(name, true, false, false, false, nil)
		return err == nil && is(q)
	}, patience, 50*time.Millisecond, "the queue %s: %+v", name, &q)
}
