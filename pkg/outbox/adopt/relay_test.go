package adopt_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"
	"golang.org/x/sync/errgroup"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox/outboxpg"
	"go.example/saga/pkg/outbox/relay"
	"go.example/saga/pkg/rabbit"
)

// From plain INSERTs to a queue: what was there before, what comes while the table is
// adopted, and what comes while the relay runs.
func TestAdoptedTableIsRelayed(t *testing.T) {
	t.Parallel()
	for kind, body := range map[string]string{"jsonb": `{"n": 1}`, "bytea": "\x00\xff\x01"} {
		const queue = "orders"
		pool := debezium(t, kind)
		broker := rabbitAt(testenv.Vhost(t))
		consumer, err := rabbit.OpenConsumer(t.Context(), broker, rabbit.EventTopology(testenv.Owner, queue), queue, 100)
		require.NoError(t, err)
		defer func() { require.NoError(t, consumer.Close()) }()

		const writers, each = 4, 30
		var writing errgroup.Group
		for w := range writers {
			writing.Go(func() error { return writeMany(t.Context(), pool, fmt.Sprint("order-", w), each, body) })
		}
		m := mapping()
		m.Exchange, m.RoutingKey, m.ContentType = "", queue, "application/x-test"
		if kind == "jsonb" {
			m.ContentType = ""
		}
		apply(t, pool, m)
		// 255 characters fit into the column, 510 bytes not into a message.
		exec(t, pool, `INSERT INTO shop.outboxevent VALUES (gen_random_uuid(), 'Order', 'long', repeat('é', 255), NULL)`)
		start(t, pool, broker)
		require.NoError(t, writing.Wait())

		got := map[string][]string{}
		for left := writers * each; left > 0; {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			batch, err := consumer.Receive(ctx, 100)
			cancel()
			require.NoError(t, err)
			for _, d := range batch.Deliveries() {
				require.Equal(t, body, string(d.Body))
				var aggregate string
				require.NoError(t, pool.QueryRow(t.Context(), `SELECT aggregateid FROM shop.outboxevent WHERE id = $1`, d.MessageID).Scan(&aggregate))
				got[aggregate] = append(got[aggregate], d.Type)
				left--
			}
			require.NoError(t, batch.Ack())
		}
		for w := range writers {
			require.Equal(t, numbers(each), got[fmt.Sprint("order-", w)])
		}
		require.Eventually(t, func() bool {
			return fmt.Sprint(texts(t, pool, `SELECT aggregate_id || ' ' || reason FROM "order".outbox_parked`)) == "[long invalid]"
		}, 20*time.Second, 20*time.Millisecond)
	}
}

func rabbitAt(url string) rabbit.Config {
	return rabbit.Config{Name: "adopt-test", URL: func(context.Context) (string, error) { return url, nil }}
}

// writeMany commits an aggregate's events one by one, after a rollback each. Their
// types are numbered.
func writeMany(ctx context.Context, pool *pgxpool.Pool, aggregate string, count int, body string) error {
	conn, err := pgx.Connect(ctx, pool.Config().ConnString())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, kind := range numbers(count) {
		for _, end := range []string{"ROLLBACK", "COMMIT"} {
			if _, err := conn.Exec(ctx, `BEGIN`); err != nil {
				return err
			}
			if _, err := conn.Exec(ctx, `INSERT INTO shop.outboxevent (id, aggregatetype, aggregateid, type, payload)
				VALUES (gen_random_uuid(), 'Order', $1, $2, $3)`, aggregate, kind, []byte(body)); err != nil {
				return err
			}
			if _, err := conn.Exec(ctx, end); err != nil {
				return err
			}
		}
	}
	return nil
}

func numbers(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(i)
	}
	return all
}

// start runs a relay until the end of the test.
func start(t *testing.T, pool *pgxpool.Pool, broker rabbit.Config) {
	t.Helper()
	engine, err := relay.New(relay.Config{
		Name: "test", Log: outboxpg.New(pool, schema), Holder: "test", Logger: zaptest.NewLogger(t),
		Open: func(ctx context.Context) (relay.Publisher, error) { return rabbit.OpenPublisher(ctx, broker, 1024) },
	})
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(t.Context()) }()
	t.Cleanup(func() { require.NoError(t, <-ended) })
}
