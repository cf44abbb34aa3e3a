package relay

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"go.example/saga/internal/app"
	"go.example/saga/internal/config"
	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/outboxpg"
	engine "go.example/saga/pkg/outbox/relay"
	"go.example/saga/pkg/rabbit"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const (
	patience = 20 * time.Second
	queue    = "metrics.queue"
)

// measured is a relay at work, reached through proxies, and its metrics.
type measured struct {
	*testing.T
	*meter
	registry app.Registry
	pool     *pgxpool.Pool // past the proxy
	broker   *testenv.Proxy
	server   *testenv.Proxy
}

func measure(t *testing.T) measured {
	t.Helper()
	direct, address := testenv.Database(t, sagasql.Outbox), testenv.Vhost(t)
	m := measured{
		T: t, registry: app.NewRegistry(namespace, ""), pool: direct,
		broker: testenv.StartProxy(t, address), server: testenv.StartProxy(t, direct.Config().ConnString()),
	}
	pool, err := pgxpool.New(t.Context(), m.server.URL)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.NoError(t, rabbit.Declare(t.Context(), rabbitAt(address), rabbit.EventTopology(testenv.Owner, queue)))
	log := zaptest.NewLogger(t)
	m.meter = newMeter(database{entry: entry{name: "shop"}, pool: pool, log: outboxpg.New(pool, "")}, engine.NewFaults("shop", log))
	bell := outboxpg.NewBell(pool, "", log)
	crew, err := engine.NewCrew(engine.Config{
		Name: "shop", Log: m.database.log, Holder: "metrics", Lease: time.Second, Logger: log,
		Open:      open(app.Broker(config.Broker{AMQPURL: config.Secret(m.broker.URL)}, name), 100),
		Confirmed: m.confirmed, Rung: func() (<-chan struct{}, bool) { return bell.Next(), bell.Often() },
	})
	require.NoError(t, err)
	require.NoError(t, m.register(m.registry, crew, bell))
	m.background(crew.Run)
	m.background(bell.Run)
	m.awaitState(engine.Active)
	return m
}

func rabbitAt(url string) rabbit.Config {
	return rabbit.Config{Name: "metrics-test", URL: func(context.Context) (string, error) { return url, nil }}
}

func (m measured) background(run func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	m.Cleanup(func() {
		stop()
		require.NoError(m, <-ended)
	})
}

func (m measured) insert(routingKey string) {
	m.Helper()
	_, err := m.pool.Exec(m.Context(), `INSERT INTO public.outbox (aggregate_type, aggregate_id, type, exchange, routing_key, payload)
		VALUES ('test', 'k' || $1, 'm', '', $1, '{}')`, routingKey)
	require.NoError(m, err)
}

// value is that of a metric, or of its series whose labels have these values; a
// histogram's is the number of its observations.
func (m measured) value(name string, labels ...string) (value float64, found bool) {
	m.Helper()
	families, err := m.registry.Gather()
	require.NoError(m, err)
	for _, family := range families {
		for _, series := range family.GetMetric() {
			var values []string
			for _, label := range series.GetLabel() {
				values = append(values, label.GetValue())
			}
			if family.GetName() != "saga_relay_"+name || slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(values, l) }) {
				continue
			}
			return series.GetGauge().GetValue() + series.GetCounter().GetValue() + float64(series.GetHistogram().GetSampleCount()), true
		}
	}
	return 0, false
}

func (m measured) await(what string, holds func(float64) bool, name string, labels ...string) {
	m.Helper()
	require.Eventually(m, func() bool {
		value, found := m.value(name, labels...)
		return found && holds(value)
	}, patience, 5*time.Millisecond, "%s %v %s", name, labels, what)
}

func (m measured) awaitState(state engine.State) {
	m.Helper()
	m.await("is 1", is(1), "shard_state", "shop", "0", string(state))
}

func is(want float64) func(float64) bool   { return func(v float64) bool { return v == want } }
func above(low float64) func(float64) bool { return func(v float64) bool { return v > low } }

func TestMetricsCountWhatTheBrokerSays(t *testing.T) {
	t.Parallel()
	m := measure(t)
	m.insert(queue)
	m.insert("nobody.listens")
	m.await("counts the confirmed one", is(1), "messages_confirmed_total", "shop")
	m.await("observes it", is(1), "confirm_latency_seconds", "shop")
	m.await("counts the returned one", above(0), "messages_refused_total", "shop")
	m.await("is 1", is(1), "notify_listening", "shop")
	m.await("is 0: the other one is parked", is(0), "oldest_unpublished_age_seconds", "shop")
	require.Eventually(t, func() bool {
		m.refresh(t.Context())
		parked, _ := m.value("parked_messages", "shop", "retry", "unroutable")
		return parked == 1
	}, patience, 5*time.Millisecond)
	lag, found := m.value("position_lag_transactions", "shop", "0")
	require.True(t, found)
	require.GreaterOrEqual(t, lag, 0.0)
}

func TestMetricsCountPossibleDuplicates(t *testing.T) {
	t.Parallel()
	m := measure(t)
	m.broker.Mute() // the confirm does not come back
	m.insert(queue)
	m.await("has it", above(0), "in_work_messages", "shop", "0")
	require.Equal(t, 1, m.broker.Cut())
	m.await("counts it", is(1), "duplicates_possible_total", "shop")
	m.broker.Heal()
	m.await("counts it", is(1), "messages_confirmed_total", "shop")
	m.await("is 0 again", is(0), "in_work_messages", "shop", "0")
}

// Nothing was in work when the broker went away: the engine does not know.
func TestMetricsSeeWhatComesWhileTheBrokerIsDown(t *testing.T) {
	t.Parallel()
	m := measure(t)
	m.broker.Down()
	m.awaitState(engine.BrokerDown)
	m.refresh(t.Context())
	m.await("is 0: nothing waits", is(0), "oldest_unpublished_age_seconds", "shop")
	m.insert(queue)
	m.refresh(t.Context())
	m.await("grows", above(0), "oldest_unpublished_age_seconds", "shop")
	before, _ := m.value("oldest_unpublished_age_seconds", "shop")
	m.await("grows", above(before), "oldest_unpublished_age_seconds", "shop")
	m.broker.Heal()
	m.await("is 0 again", is(0), "oldest_unpublished_age_seconds", "shop")
}

func TestMetricsGrowWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	m := measure(t)
	m.refresh(t.Context())
	m.server.Down()
	m.awaitState(engine.DatabaseDown)
	m.refresh(t.Context())
	for _, name := range []string{"oldest_unpublished_age_seconds", "position_age_seconds"} {
		before, found := m.value(name, "shop")
		require.True(t, found, name)
		m.await("grows", above(before), name, "shop")
	}
	m.await("is 0", is(0), "notify_listening", "shop")
	m.server.Heal()
	m.await("is 0 again", is(0), "oldest_unpublished_age_seconds", "shop")
}

func TestMetricsKeepTheConventions(t *testing.T) {
	t.Parallel()
	m := measure(t)
	m.refresh(t.Context())
	problems, err := testutil.GatherAndLint(m.registry)
	require.NoError(t, err)
	require.Empty(t, problems)
	answer := httptest.NewRecorder()
	app.MetricsEndpoint(m.registry, zaptest.NewLogger(t)).Handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, answer.Code)
	for _, line := range []string{
		`saga_relay_shard_state{database="shop",shard="0",state="active"} 1`,
		`saga_relay_shard_state{database="shop",shard="0",state="standby"} 0`, "saga_relay_build_info{", "go_goroutines ", "process_cpu_seconds_total ",
	} {
		require.Contains(t, answer.Body.String(), line)
	}
}

// The page is complete, and tells of nothing that does not exist.
func TestEveryMetricIsExplained(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/metrics.md")
	require.NoError(t, err)
	described := make(chan *prometheus.Desc, 100)
	newMeter(database{entry: entry{name: "shop"}}, engine.NewFaults("shop", zaptest.NewLogger(t))).Describe(described)
	close(described)
	exported := []string{"saga_relay_build_info", "saga_relay_call_seconds"}
	for d := range described {
		exported = append(exported, regexp.MustCompile(`saga_relay_\w+`).FindString(d.String()))
	}
	var explained []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(saga_relay_\\w+)`").FindAllStringSubmatch(string(page), -1) {
		explained = append(explained, row[1])
	}
	require.ElementsMatch(t, exported, explained)
}

// The hook runs for every message.
func TestLatencyIsMeasuredWithoutGarbage(t *testing.T) {
	m := newMeter(database{entry: entry{name: "shop"}}, engine.NewFaults("shop", zaptest.NewLogger(t)))
	record := &outbox.Record{CreatedAt: time.Now()}
	require.Zero(t, testing.AllocsPerRun(1000, func() { m.confirmed(record) }))
}
