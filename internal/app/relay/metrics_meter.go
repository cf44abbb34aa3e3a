package relay

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/outboxpg"
	engine "go.example/saga/pkg/outbox/relay"
)

// meter measures the relay of one database: from the memory of its engines, and from
// a look at the database every so often, see run. It is safe for concurrent use.
type meter struct {
	database database
	schema   string
	log      *zap.Logger
	crew     *engine.Crew
	bell     *outboxpg.Bell // nil where the log is polled only
	latency  prometheus.Histogram
	ahead    atomic.Int64 // of the database's clock before this process's, in nanoseconds

	mu   sync.Mutex
	last look
}

// newMeter makes a meter that measures the latency of messages only, until register
// gives it more to measure.
func newMeter(d database, schema string, log *zap.Logger) *meter {
	return &meter{
		database: d, schema: schema, log: log.With(zap.String("database", d.name)),
		last: look{known: time.Now()},
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "confirm_latency_seconds",
			Help: "Time from the start of the transaction that appended a message to the broker's confirm of it.",
			Buckets: []float64{
				.001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1, 2, 4, 8, 16, 32, 60, 300, 1800,
			},
		}),
	}
}

// register shows the metrics of a crew, and of its bell if it has one.
func (m *meter) register(registry *prometheus.Registry, crew *engine.Crew, bell *outboxpg.Bell) error {
	m.crew, m.bell = crew, bell
	return prometheus.WrapRegistererWith(prometheus.Labels{"database": m.database.name}, registry).Register(m)
}

// confirmed is for [engine.Config]. It is called for every message.
func (m *meter) confirmed(r *outbox.Record) {
	m.latency.Observe(max(0, time.Since(m.local(r.CreatedAt)).Seconds()))
}

// local is a time of the database's clock by this process's; none stays none.
func (m *meter) local(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-time.Duration(m.ahead.Load()))
}

// Describe implements [prometheus.Collector].
func (m *meter) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descAge, descInWork, descParked, descConfirmed, descRefused, descDuplicates,
		descPositionAge, descPositionLag, descState, descListening,
	} {
		out <- d
	}
	m.latency.Describe(out)
}

// Collect implements [prometheus.Collector].
func (m *meter) Collect(out chan<- prometheus.Metric) {
	m.mu.Lock()
	last := m.last
	m.mu.Unlock()
	sum, engines := m.crew.Status(), m.crew.Statuses()
	m.latency.Collect(out)
	counter := func(d *prometheus.Desc, n int64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
	counter(descConfirmed, sum.Confirmed)
	counter(descRefused, sum.Refused)
	counter(descDuplicates, sum.Unanswered)
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	if m.bell != nil {
		gauge(descListening, oneIf(m.bell.State().Listening))
	}
	gauge(descAge, m.oldestAge(sum, engines, last).Seconds())
	for _, e := range engines {
		shard := strconv.Itoa(e.Shard)
		gauge(descInWork, float64(e.InWork), shard)
		for _, state := range engineStates {
			gauge(descState, oneIf(e.State == state), shard, string(state))
		}
	}
	for n, s := range last.shards {
		shard := strconv.Itoa(n)
		gauge(descPositionAge, max(0, time.Since(m.local(s.written)).Seconds()), shard)
		gauge(descPositionLag, float64(s.transactions), shard)
	}
	for _, p := range last.parked {
		gauge(descParked, float64(p.Messages), string(p.State), p.Reason)
	}
}

var engineStates = []engine.State{
	engine.Starting, engine.Standby, engine.Active, engine.Blocked, engine.BrokerDown, engine.DatabaseDown,
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
