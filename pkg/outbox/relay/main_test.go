package relay

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox/outboxpg"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const (
	patience = 20 * time.Second
	tick     = 5 * time.Millisecond
	queue    = "test.queue"
)

// bundle is a database with an outbox and a broker with or without a queue.
type bundle struct {
	*testing.T
	pool *pgxpool.Pool
	amqp string
	log  *outboxpg.Log
}

func setup(t *testing.T) *bundle {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox)
	return &bundle{T: t, pool: pool, amqp: testenv.Vhost(t), log: outboxpg.New(pool, "")}
}

func rabbitAt(url string) rabbit.Config {
	return rabbit.Config{Name: "relay-test", URL: func(context.Context) (string, error) { return url, nil }}
}

// opener opens real sessions with the broker at url.
func opener(url string, window int) func(context.Context) (Publisher, error) {
	return func(ctx context.Context) (Publisher, error) {
		return rabbit.OpenPublisher(ctx, rabbitAt(url), window)
	}
}

// config is an engine's, which a test may change before start.
func (b *bundle) config(holder string) Config {
	const window = 100
	return Config{
		Name: "test", Log: b.log, Holder: holder, Open: opener(b.amqp, window),
		Lease: 2 * time.Second, Window: window, Page: 30, Logger: zaptest.NewLogger(b),
	}
}

// running is an engine at work.
type running struct {
	*Engine
	stop func() // stops it as SIGTERM does and waits for its end
}

func (b *bundle) start(cfg Config, adjust ...func(*limits)) running {
	b.Helper()
	engine, err := New(cfg)
	require.NoError(b, err)
	for _, a := range adjust {
		a(&engine.limits)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- engine.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			require.NoError(b, err)
		case <-time.After(patience):
			b.Fatal("the engine did not stop")
		}
	})
	b.Cleanup(stop)
	return running{engine, stop}
}

func (b *bundle) eventually(what string, condition func() bool) {
	b.Helper()
	require.Eventually(b, condition, patience, tick, what)
}

func (b *bundle) awaitState(e running, want State) {
	b.Helper()
	b.eventually("state "+string(want), func() bool { return e.Status().State == want })
}

// insert writes rows named m<from>..m<to-1> of one aggregate for the queue, one
// statement.
func (b *bundle) insert(from, to int) { b.insertTo("", queue, "k", from, to) }

// insertTo writes rows of the aggregate, or each of its own where that is empty.
func (b *bundle) insertTo(exchange, key, aggregate string, from, to int) {
	b.Helper()
	_, err := b.pool.Exec(b.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		SELECT 'test', coalesce(nullif($5, ''), 'k' || n), 'm' || n, $1, $2, jsonb_build_object('n', n)
		FROM generate_series($3::int, $4::int - 1) AS n ORDER BY n`,
		exchange, key, from, to, aggregate)
	require.NoError(b, err)
}

// names are the types that insert gives.
func names(from, to int) []string {
	all := make([]string, 0, to-from)
	for n := from; n < to; n++ {
		all = append(all, fmt.Sprint("m", n))
	}
	return all
}

func (b *bundle) lag() outboxpg.Lag {
	b.Helper()
	lags, err := b.log.Lag(context.Background())
	require.NoError(b, err)
	require.Len(b, lags, 1)
	return lags[0]
}

func (b *bundle) drained() {
	b.Helper()
	b.eventually("the outbox is drained", func() bool { return b.lag().Pending == 0 })
}

// received is what has come out of a queue so far.
type received struct {
	mu    sync.Mutex
	types []string
}

func (r *received) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.types)
}

// firsts are the types without repetitions: what a consumer with a memory does.
func (r *received) firsts() []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(r.all(), func(name string) bool {
		was := seen[name]
		seen[name] = true
		return was
	})
}

// consume declares the queue and takes what comes.
func (b *bundle) consume(topology rabbit.Topology, queue string) *received {
	b.Helper()
	consumer, err := rabbit.OpenConsumer(b.Context(), rabbitAt(b.amqp), topology, queue, 1000)
	require.NoError(b, err)
	r := new(received)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			batch, err := consumer.Receive(ctx, 1000)
			if err != nil {
				return
			}
			r.mu.Lock()
			for _, d := range batch.Deliveries() {
				r.types = append(r.types, d.Type)
			}
			r.mu.Unlock()
			if batch.Ack() != nil {
				return
			}
		}
	}()
	b.Cleanup(func() {
		cancel()
		<-done
		_ = consumer.Close()
	})
	return r
}

func (b *bundle) consumeQueue() *received {
	b.Helper()
	return b.consume(rabbit.EventTopology(testenv.Owner, queue), queue)
}

// awaitSet waits for messages of several aggregates, which have no order among them.
func (b *bundle) awaitSet(r *received, want []string) {
	b.Helper()
	b.eventually("all messages arrive", func() bool { return len(r.firsts()) >= len(want) })
	require.ElementsMatch(b, want, r.firsts())
}

// without gives the names that are not among those.
func without(all, those []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(those, name) })
}

func (b *bundle) awaitFirsts(r *received, want []string) {
	b.Helper()
	b.eventually("all messages arrive", func() bool { return len(r.firsts()) >= len(want) })
	require.Equal(b, want, r.firsts())
}
