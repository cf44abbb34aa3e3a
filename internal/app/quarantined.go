package app

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"go.example/saga/pkg/inbox/quarantine"
)

const (
	// quarantinePause is the time between two looks at what was set aside, and
	// quarantineTime how long one may take.
	quarantinePause = 15 * time.Second
	quarantineTime  = 5 * time.Second
)

// What docs/metrics.md explains.
var (
	descHeld = prometheus.NewDesc("saga_inbox_quarantined_messages",
		"Messages that a consumer has set aside: held ones are tried again by themselves, dead ones wait for an operator. Counted every 15 s.",
		[]string{"consumer", "reason", "state"}, nil)
	descHeldAge = prometheus.NewDesc("saga_inbox_quarantined_oldest_age_seconds",
		"For how long the oldest message that was set aside has waited. Looked at every 15 s.",
		[]string{"consumer", "reason", "state"}, nil)
)

// quarantined is what was set aside, as it was found last.
type quarantined struct {
	store *quarantine.Store
	log   *zap.Logger

	mu      sync.Mutex
	last    []quarantine.Census
	failing bool
}

// WatchQuarantine registers the metrics of what was set aside. What it returns looks at the
// database until its context ends; a scrape reads what was found last.
func WatchQuarantine(registry prometheus.Registerer, store *quarantine.Store, log *zap.Logger) func(context.Context) error {
	q := &quarantined{store: store, log: log}
	registry.MustRegister(q)
	return q.run
}

func (q *quarantined) run(ctx context.Context) error {
	pause := time.NewTicker(quarantinePause)
	defer pause.Stop()
	for {
		q.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}

func (q *quarantined) look(ctx context.Context) {
	asking, cancel := context.WithTimeout(ctx, quarantineTime)
	defer cancel()
	found, err := q.store.Census(asking)
	if ctx.Err() != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil {
		q.last = found
	} else if !q.failing {
		q.log.Warn("metrics of what was set aside grow old: the database cannot be asked", zap.Error(err))
	}
	q.failing = err != nil
}

// Describe implements [prometheus.Collector].
func (q *quarantined) Describe(descs chan<- *prometheus.Desc) {
	descs <- descHeld
	descs <- descHeldAge
}

// Collect implements [prometheus.Collector].
func (q *quarantined) Collect(metrics chan<- prometheus.Metric) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.last {
		metrics <- prometheus.MustNewConstMetric(descHeld, prometheus.GaugeValue, float64(c.Messages), c.Consumer, string(c.Code), string(c.State))
		metrics <- prometheus.MustNewConstMetric(descHeldAge, prometheus.GaugeValue, c.OldestSeconds, c.Consumer, string(c.Code), string(c.State))
	}
}
