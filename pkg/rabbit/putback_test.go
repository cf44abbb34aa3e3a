package rabbit_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/inbox/quarantine"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

// setAside has a consumer refuse all that is in the queue, until n wait in the database.
func setAside(t *testing.T, db *pgxpool.Pool, url, queue string, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- inbox.Run(ctx, inbox.Config{
			Name: "test", Service: testenv.Service, DB: db,
			Open: func(ctx context.Context, _ sagasql.Service) (inbox.Source, error) {
				return rabbit.OpenConsumer(ctx, at(url), rabbit.EventTopology(testenv.Owner, queue), queue, 10)
			},
			Handle: func(_ context.Context, _ pgx.Tx, ds []inbox.Delivery) (all []inbox.Rejection, _ error) {
				for i := range ds {
					all = append(all, inbox.Rejection{Index: i, Code: inbox.Unexpected, Reason: "all are refused"})
				}
				return all, nil
			},
		})
	}()
	store := quarantine.Store{DB: db}
	require.Eventually(t, func() bool {
		held, err := store.Count(t.Context(), quarantine.Filter{})
		return err == nil && held == int64(n) && depth(t, url, queue) == 0
	}, patience, 20e6)
	cancel()
	require.NoError(t, <-ended)
}

func returner(t *testing.T, url string) *rabbit.Returner {
	t.Helper()
	r, err := rabbit.OpenReturner(testContext(t), at(url))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// asPublished is what was delivered, without what the queue has added.
func asPublished(back amqp.Delivery) amqp.Publishing {
	delete(back.Headers, "x-delivery-count")
	back.Headers["at"] = back.Headers["at"].(time.Time).UTC()
	return amqp.Publishing{
		Headers: back.Headers, ContentType: back.ContentType, ContentEncoding: back.ContentEncoding, DeliveryMode: back.DeliveryMode,
		Priority: back.Priority, CorrelationId: back.CorrelationId, ReplyTo: back.ReplyTo, Expiration: back.Expiration,
		MessageId: back.MessageId, Timestamp: back.Timestamp.UTC(), Type: back.Type, UserId: back.UserId, AppId: back.AppId, Body: back.Body,
	}
}

var tester = quarantine.Signature{By: "tester", Note: "it is mended"}

func quietly(int64) {}

// From one queue through the quarantine and back: the very same message. It can go round
// again, and is one row.
func TestAMessageComesBackExactly(t *testing.T) {
	t.Parallel()
	testenv.Connections(t, 6)
	db, url := testenv.Database(t, sagasql.Inbox), testenv.Vhost(t)
	declareReplies(t, url)
	sent := full(replies)
	channel := rawChannel(t, url)
	require.NoError(t, channel.PublishWithContext(t.Context(), "", replies, true, false, sent))
	store := quarantine.Store{DB: db}
	for round := range int64(3) {
		setAside(t, db, url, replies, 1)
		held, err := store.List(t.Context(), quarantine.Filter{}, 10)
		require.NoError(t, err)
		require.Len(t, held, 1)
		require.Equal(t, round+1, held[0].Deliveries)
		result, err := store.Retry(t.Context(), quarantine.Filter{IDs: []int64{held[0].ID}}, returner(t, url), tester, quietly)
		require.NoError(t, err)
		require.Equal(t, quarantine.Result{Retried: 1, Refused: []quarantine.Refusal{}}, result)
		done, err := store.Show(t.Context(), held[0].ID, false)
		require.NoError(t, err)
		require.Equal(t, []any{quarantine.Retried, "tester", "it is mended"}, []any{done.State, done.HandledBy, done.Note})
	}
	back, ok, err := channel.Get(replies, true)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, sent, asPublished(back))
	require.Zero(t, depth(t, url, replies))
}

// One that cannot be put back stays, with why, and keeps nobody else.
func TestWhatCannotBePutBackStays(t *testing.T) {
	t.Parallel()
	testenv.Connections(t, 6)
	db, url := testenv.Database(t, sagasql.Inbox), testenv.Vhost(t)
	declareReplies(t, url)
	for _, row := range []struct{ queue, properties, headers string }{
		{"gone", `{}`, `{}`},
		{replies, `{"user_id": "somebody else"}`, `{}`},
		{replies, `{}`, `{"CC": ["another.queue"]}`},
		{replies, `{"nonsense": 1}`, `{}`},
		{replies, `{"message_id": "good"}`, `{}`},
	} {
		_, err := db.Exec(t.Context(), `INSERT INTO inbox_quarantine
			(consumer, queue, code, reason, exchange, routing_key, properties, headers, body, message_sha256)
			VALUES ('test', $1, 'other', 'r', '', '', $2, $3, 'body', '')`, row.queue, row.properties, row.headers)
		require.NoError(t, err)
	}
	store := quarantine.Store{DB: db}
	result, err := store.Retry(t.Context(), quarantine.Filter{}, returner(t, url), tester, quietly)
	require.NoError(t, err)
	require.EqualValues(t, 1, result.Retried)
	require.Len(t, result.Refused, 4)
	for i, why := range []string{`no queue "gone"`, "impersonator", "header CC", "no such property"} {
		require.Contains(t, result.Refused[i].Why, why)
	}
	held, err := store.Count(t.Context(), quarantine.Filter{})
	require.NoError(t, err)
	require.EqualValues(t, 4, held)
	require.Equal(t, 1, depth(t, url, replies))
}

// Where the broker goes away, what it has confirmed is marked and the rest is held.
func TestTheBrokerGoesWhileMessagesArePutBack(t *testing.T) {
	t.Parallel()
	testenv.Connections(t, 6)
	db, url := testenv.Database(t, sagasql.Inbox), testenv.Vhost(t)
	declareReplies(t, url)
	hold(t, db, 50)
	proxy := testenv.StartProxy(t, url)
	broker := &cutAfter{Returner: returner(t, proxy.URL), left: 30, cut: proxy.Down}
	store := quarantine.Store{DB: db}
	result, err := store.Retry(t.Context(), quarantine.Filter{}, broker, tester, quietly)
	require.Error(t, err)
	require.EqualValues(t, 30, result.Retried)
	held, err := store.Count(t.Context(), quarantine.Filter{})
	require.NoError(t, err)
	require.EqualValues(t, 20, held)

	result, err = store.Retry(t.Context(), quarantine.Filter{}, returner(t, url), tester, quietly)
	require.NoError(t, err)
	require.EqualValues(t, 20, result.Retried)
	require.GreaterOrEqual(t, depth(t, url, replies), 50)
	require.LessOrEqual(t, depth(t, url, replies), 51, "only the one of unknown outcome may come twice")
}

// cutAfter loses the broker after so many messages.
type cutAfter struct {
	*rabbit.Returner
	left int
	cut  func()
}

func (c *cutAfter) PutBack(ctx context.Context, m quarantine.Original) error {
	if c.left == 0 {
		c.cut()
	}
	c.left--
	return c.Returner.PutBack(ctx, m)
}

// Two who put the same messages back share them.
func TestTwoPutTheSameBack(t *testing.T) {
	t.Parallel()
	testenv.Connections(t, 8)
	db, url := testenv.Database(t, sagasql.Inbox), testenv.Vhost(t)
	declareReplies(t, url)
	hold(t, db, 100)
	store := quarantine.Store{DB: db}
	results := make(chan int64, 2)
	for range 2 {
		broker := returner(t, url)
		go func() {
			result, err := store.Retry(t.Context(), quarantine.Filter{}, broker, tester, quietly)
			assert.NoError(t, err)
			results <- result.Retried
		}()
	}
	require.EqualValues(t, 100, <-results+<-results)
	require.Equal(t, 100, depth(t, url, replies))
}

// Two instances of a consumer share what is due, and what the broker does not take has had
// its try.
func TestTwoInstancesPutBackWhatIsDue(t *testing.T) {
	t.Parallel()
	testenv.Connections(t, 8)
	db, url := testenv.Database(t, sagasql.Inbox), testenv.Vhost(t)
	declareReplies(t, url)
	hold(t, db, 90)
	_, err := db.Exec(t.Context(), `UPDATE inbox_quarantine SET state = 'held', message_id = id::text, consumer = CASE WHEN id > 80 THEN 'other' ELSE 'test' END,
		queue = CASE WHEN id = 7 THEN 'gone' ELSE queue END, retry_at = now() + CASE WHEN id > 60 THEN interval '1 minute' ELSE '0' END`)
	require.NoError(t, err)
	store := quarantine.Store{DB: db}
	consumer, err := rabbit.OpenConsumer(t.Context(), at(url), rabbit.EventTopology(testenv.Owner, replies), replies, 1)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, consumer.Close()) })
	results := make(chan quarantine.Result, 2)
	for range 2 {
		go func() {
			result, err := store.PutBackDue(t.Context(), "test", consumer.Return)
			assert.NoError(t, err)
			results <- result
		}()
	}
	one, other := <-results, <-results
	require.EqualValues(t, 59, one.Retried+other.Retried)
	refused := append(one.Refused, other.Refused...)
	require.Len(t, refused, 1)
	require.Contains(t, refused[0].Why, `no queue "gone"`)
	require.Equal(t, 58, depth(t, url, replies), "the consumer has one")
	count := func(where string) (n int) {
		require.NoError(t, db.QueryRow(t.Context(), `SELECT count(*) FROM inbox_quarantine WHERE `+where).Scan(&n))
		return n
	}
	require.Equal(t, 59, count(`state = 'retried' AND tries = 1 AND handled_by = 'itself'`))
	require.Equal(t, 1, count(`id = 7 AND state = 'held' AND tries = 1 AND retry_at > now() + interval '110 s'`))
	require.Equal(t, 30, count(`id > 60 AND state = 'held' AND tries = 0`))
}

// hold sets so many messages aside.
func hold(t *testing.T, db *pgxpool.Pool, n int) {
	t.Helper()
	_, err := db.Exec(t.Context(), `INSERT INTO inbox_quarantine
		(consumer, queue, code, reason, exchange, routing_key, properties, headers, body, message_sha256)
		SELECT 'test', $1, 'other', 'r', '', '', '{}', '{}', n::text::bytea, '' FROM generate_series(1, $2) AS n`, replies, n)
	require.NoError(t, err)
}
