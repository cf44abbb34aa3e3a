package app

import (
	"context"
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"go.example/saga/pkg/outbox/outboxpg"
)

// descUnserved is explained in docs/metrics.md.
var descUnserved = prometheus.NewDesc("saga_outbox_unserved",
	"1 while no relay has served the outbox of this program's database for half a minute, or one of its shards; else 0. Looked at every 10 s.", nil, nil)

// Service is whether a relay publishes what this program appends to its outbox.
type Service struct {
	outbox *outboxpg.Log
	log    *zap.Logger

	mu       sync.Mutex
	known    bool
	unserved error // nil where one does
	failing  bool
}

// WatchService registers the metric of whether a relay serves the outbox.
func WatchService(registry prometheus.Registerer, outbox *outboxpg.Log, log *zap.Logger) *Service {
	s := &Service{outbox: outbox, log: log}
	registry.MustRegister(s)
	return s
}

// Run looks at the database until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	s.outbox.WatchService(ctx, s.note)
	return nil
}

// note keeps what was found, and says once what has changed.
func (s *Service) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && !errors.Is(err, outboxpg.ErrUnserved) {
		if !s.failing {
			s.log.Warn("whether a relay serves the outbox cannot be asked", zap.Error(err))
		}
		s.failing = true
		return
	}
	s.failing, s.known = false, true
	switch {
	case err != nil && s.unserved == nil:
		s.log.Warn("messages wait for a relay", zap.Error(err))
	case err == nil && s.unserved != nil:
		s.log.Info("a relay serves the outbox again")
	}
	s.unserved = err
}

// Ready adds to what ready says of the program, where that is nil or a [Remark], one that no relay
// serves the outbox: the orchestrator still does its work. A participant does not, and says so
// itself.
func (s *Service) Ready(ready func() error) func() error {
	return func() error {
		err := ready()
		var remark *Remark
		if err != nil && !errors.As(err, &remark) {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.unserved != nil {
			return &Remark{errors.Join(err, s.unserved)}
		}
		return err
	}
}

// Describe implements [prometheus.Collector].
func (s *Service) Describe(descs chan<- *prometheus.Desc) { descs <- descUnserved }

// Collect implements [prometheus.Collector]. Nothing is told before the first look.
func (s *Service) Collect(metrics chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		return
	}
	var unserved float64
	if s.unserved != nil {
		unserved = 1
	}
	metrics <- prometheus.MustNewConstMetric(descUnserved, prometheus.GaugeValue, unserved)
}
