package relay

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// observeCalls counts calls by HTTP, which all databases of the process share.
func observeCalls(registry prometheus.Registerer) func(target, outcome string, took time.Duration) {
	calls := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "call_seconds",
		Help:    "How long calls of steps with transport http took, by target and by what they brought.",
		Buckets: []float64{0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
	}, []string{"target", "outcome"})
	registry.MustRegister(calls)
	return func(target, outcome string, took time.Duration) {
		calls.WithLabelValues(target, outcome).Observe(took.Seconds())
	}
}
