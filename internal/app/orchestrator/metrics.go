package orchestrator

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagapg"
)

const (
	namespace = "saga_orchestrator"
	// lookPause is the time between two looks at the database, and lookTimeout how long
	// one may take.
	lookPause   = 15 * time.Second
	lookTimeout = 5 * time.Second
	// statusPaused stands in for the status of a saga that is paused.
	statusPaused = "PAUSED"
)

// What docs/metrics.md explains.
var (
	descRunning = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "running_sagas"),
		"Sagas that have not ended, by status; paused ones have the status PAUSED. Counted every 15 s.", []string{"type", "status"}, nil)
	descHeld = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "held_sagas"),
		"Sagas whose command is not with its participant, by what it waits for: relay, parked, consumer, broker. Counted every 15 s.",
		[]string{"type", "waits_for"}, nil)
	descOverdue = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "overdue_seconds"),
		"For how long the most overdue timer has waited; 0 when none is overdue. Looked at every 15 s.", nil, nil)
)

// meter counts what the engine decides and looks at what the database holds.
type meter struct {
	census func(context.Context) ([]sagapg.Census, error)
	report func(error)
	log    *zap.Logger

	events, sent, parked, ended *prometheus.CounterVec
	lasted                      *prometheus.HistogramVec

	mu      sync.Mutex
	last    []sagapg.Census
	failing bool
}

func newMeter(
	registry prometheus.Registerer, census func(context.Context) ([]sagapg.Census, error), report func(error), log *zap.Logger,
) *meter {
	counter := func(metric, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: metric, Help: help}, labels)
		registry.MustRegister(c)
		return c
	}
	m := &meter{
		census: census, report: report, log: log,
		events: counter("events_total", "Events that were applied or recorded, by what became of them.", "kind", "disposition"),
		sent:   counter("commands_total", "Commands that were sent, repetitions included.", "type", "step", "operation"),
		parked: counter("sagas_parked_total", "Times that a saga was parked.", "type", "reason"),
		ended:  counter("sagas_ended_total", "Sagas that have ended.", "type", "status"),
		lasted: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "saga_duration_seconds", Help: "From start to end.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 86400},
		}, []string{"type", "status"}),
	}
	registry.MustRegister(m, m.lasted)
	return m
}

// countDeleted shows how many finished sagas the retention has deleted.
func countDeleted(registry prometheus.Registerer, deleted func() int64) {
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: namespace, Name: "sagas_deleted_total", Help: "Finished sagas that were deleted: older than the retention.",
	}, func() float64 { return float64(deleted()) }))
}

// countRecounted shows how many sagas were found to be written in the future.
func countRecounted(registry prometheus.Registerer, recounted func() int64) {
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: namespace, Name: "sagas_recounted_total",
		Help: "Sagas that were written in the future, because the database's clock has gone back, and whose waits were counted anew.",
	}, func() float64 { return float64(recounted()) }))
}

// observe counts a decision. It is safe for concurrent use.
func (m *meter) observe(t saga.Transition) {
	s, e := t.Next, t.Entry
	m.events.WithLabelValues(string(e.Kind), string(e.Disposition)).Inc()
	for _, c := range e.Sent {
		m.sent.WithLabelValues(s.Type, c.Step, string(c.Operation)).Inc()
	}
	for _, effect := range t.Effects {
		if event, ok := effect.(saga.EmitEvent); ok && event.Kind == saga.EventParked {
			m.parked.WithLabelValues(s.Type, string(s.ParkReason())).Inc()
		}
	}
	if e.From != e.To && s.Status.Terminal() {
		m.ended.WithLabelValues(s.Type, string(s.Status)).Inc()
		m.lasted.WithLabelValues(s.Type, string(s.Status)).Observe(max(s.EndedAt.Sub(s.StartedAt).Seconds(), 0)) // the clock may have gone back
	}
}

// run looks at the database until ctx is done. Scrapes get what it found last.
func (m *meter) run(ctx context.Context) error {
	pause := time.NewTicker(lookPause)
	defer pause.Stop()
	for {
		m.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}

func (m *meter) look(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	found, err := m.census(asking)
	if ctx.Err() != nil {
		return
	}
	m.report(err)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.last = found
	} else if !m.failing {
		m.log.Warn("metrics of the sagas grow old: the database cannot be asked", zap.Error(err))
	}
	m.failing = err != nil
}

// Describe implements [prometheus.Collector].
func (m *meter) Describe(descs chan<- *prometheus.Desc) {
	descs <- descRunning
	descs <- descHeld
	descs <- descOverdue
}

// Collect implements [prometheus.Collector].
func (m *meter) Collect(metrics chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var overdue float64
	type wait struct {
		name string
		what sagapg.Wait
	}
	held := map[wait]int{}
	for _, c := range m.last {
		status := string(c.Status)
		if c.Paused {
			status = statusPaused
		}
		metrics <- prometheus.MustNewConstMetric(descRunning, prometheus.GaugeValue, float64(c.Count), c.Type, status)
		overdue = max(overdue, c.Overdue.Seconds())
		for what, count := range c.Held {
			held[wait{c.Type, what}] += count
		}
	}
	for w, count := range held {
		metrics <- prometheus.MustNewConstMetric(descHeld, prometheus.GaugeValue, float64(count), w.name, string(w.what))
	}
	metrics <- prometheus.MustNewConstMetric(descOverdue, prometheus.GaugeValue, overdue)
}
