package app

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"go.example/saga/internal/config"
	"go.example/saga/pkg/rabbit"
)

// descTopology is explained in docs/metrics.md.
var descTopology = prometheus.NewDesc("saga_broker_topology_amiss",
	"1 for an exchange, a queue or a binding that is not as it should be, and that this program goes on without: "+
		"differs, missing, refused, unanswered, failed. Looked at every minute.",
	[]string{"object", "problem"}, nil)

// Topology is what is amiss on the broker that a program goes on without.
type Topology struct{ remarks rabbit.Remarks }

// WatchTopology registers the metric of it.
func WatchTopology(registry prometheus.Registerer, log *zap.Logger) *Topology {
	t := &Topology{remarks: rabbit.Remarks{Log: log}}
	registry.MustRegister(t)
	return t
}

// Broker is [Broker] with a place for what is amiss.
func (t *Topology) Broker(b config.Broker, name string) rabbit.Config {
	cfg := Broker(b, name)
	cfg.Remarks = &t.remarks
	return cfg
}

// Ready adds what is amiss to what ready says of the program, where that is nil or a [Remark].
func (t *Topology) Ready(ready func() error) func() error {
	return func() error {
		err := ready()
		var remark *Remark
		if err != nil && !errors.As(err, &remark) {
			return err
		}
		all := []error{err}
		for _, r := range t.remarks.All() {
			all = append(all, fmt.Errorf("broker: %s: %w", r.Problem, r.Err))
		}
		if err = errors.Join(all...); err != nil {
			return &Remark{err}
		}
		return nil
	}
}

// Describe implements [prometheus.Collector].
func (t *Topology) Describe(descs chan<- *prometheus.Desc) { descs <- descTopology }

// Collect implements [prometheus.Collector].
func (t *Topology) Collect(metrics chan<- prometheus.Metric) {
	for _, r := range t.remarks.All() {
		metrics <- prometheus.MustNewConstMetric(descTopology, prometheus.GaugeValue, 1, r.Object, r.Problem)
	}
}
