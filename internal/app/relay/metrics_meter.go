package relay

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/outboxpg"
	engine "go.example/saga/pkg/outbox/relay"
)

// meter measures the relay of one database: from the memory of its engines, and from
// a look at the database every so often, see run. It is safe for concurrent use.
type meter struct {
	database database
	faults   *engine.Faults
	crew     *engine.Crew
	bell     *outboxpg.Bell // nil where the log is polled only
	latency  prometheus.Histogram
	ahead    atomic.Int64 // of the database's clock before this process's, in nanoseconds

	mu   sync.Mutex
	last look
}

// newMeter makes a meter that measures the latency of messages only, until register
// gives it more to measure.
func newMeter(d database, faults *engine.Faults) *meter {
	return &meter{
		database: d, faults: faults,
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
func (m *meter) register(registry prometheus.Registerer, crew *engine.Crew, bell *outboxpg.Bell) error {
	m.crew, m.bell = crew, bell
	return m.labelled(registry).Register(m)
}

// unregister takes the metrics away.
func (m *meter) unregister(registry prometheus.Registerer) { m.labelled(registry).Unregister(m) }

func (m *meter) labelled(registry prometheus.Registerer) prometheus.Registerer {
	return prometheus.WrapRegistererWith(prometheus.Labels{"database": m.database.name}, registry)
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
		descPositionAge, descPositionLag, descState, descListening, descFailing, descErrors, descClock, descTimeline,
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
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	counter(descConfirmed, sum.Confirmed)
	counter(descRefused, sum.Refused)
	counter(descDuplicates, sum.Unanswered)
	counter(descClock, sum.VoidLeases, "lease")
	counter(descClock, sum.VoidMembers, "member")
	counter(descClock, sum.PulledIn, "retry")
	counter(descTimeline, sum.TimelineChanges)
	for class, n := range m.faults.Counts() {
		counter(descErrors, n, class.Task, cmp.Or(class.SQLState, "none"))
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	if m.bell != nil {
		gauge(descListening, oneIf(m.bell.State().Listening))
	}
	failing := m.faults.Failing()
	for _, task := range tasks {
		gauge(descFailing, oneIf(slices.ContainsFunc(failing, func(f engine.Fault) bool { return f.Task == task })), task)
	}
	gauge(descAge, m.oldestAge(sum, engines, last).Seconds())
	for _, e := range engines {
		shard := strconv.Itoa(e.Shard)
		gauge(descInWork, float64(e.InWork), shard)
		for _, state := range engine.States() {
			gauge(descState, oneIf(e.State == state), shard, string(state))
		}
	}
	for n, s := range last.shards {
		shard := strconv.Itoa(n)
		gauge(descPositionAge, max(time.Since(s.unchanged), time.Since(m.local(s.written))).Seconds(), shard)
		gauge(descPositionLag, float64(s.transactions), shard)
	}
	for _, p := range last.parked {
		gauge(descParked, float64(p.Messages), string(p.State), p.Reason)
	}
}

// tasks are those that fail beside publishing, which the shards' states tell of.
var tasks = []string{engine.TaskRoster, engine.TaskUpkeep, engine.TaskReshard, engine.TaskMetrics, engine.TaskNotify}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
