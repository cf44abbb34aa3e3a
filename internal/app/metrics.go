package app

import (
	"cmp"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// Registry takes metrics and gives them.
type Registry struct {
	prometheus.Registerer
	prometheus.Gatherer
}

// NewRegistry has what is measured of the process itself. The namespace, such as
// saga_relay, is that of the daemon's own metrics. Where the daemon is one service's, all
// have the label service: two services that share a monitor are told apart.
func NewRegistry(namespace, service string) Registry {
	all := prometheus.NewRegistry()
	registry := Registry{Registerer: all, Gatherer: all}
	if service != "" {
		registry.Registerer = prometheus.WrapRegistererWith(prometheus.Labels{"service": service}, all)
	}
	registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo(namespace))
	return registry
}

func buildInfo(namespace string) prometheus.Collector {
	labels := prometheus.Labels{"version": "unknown", "revision": "unknown", "go_version": "unknown"}
	if info, ok := debug.ReadBuildInfo(); ok {
		labels["version"], labels["go_version"] = cmp.Or(info.Main.Version, "unknown"), info.GoVersion
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				labels["revision"] = setting.Value
			}
		}
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the labels say what was built.", ConstLabels: labels,
	})
	info.Set(1)
	return info
}

// MetricsEndpoint serves the registry. A scrape reads memory and asks nobody.
func MetricsEndpoint(registry prometheus.Gatherer, log *zap.Logger) Endpoint {
	errorLog, _ := zap.NewStdLogAt(log, zap.WarnLevel)
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: errorLog, ErrorHandling: promhttp.ContinueOnError})
	return Endpoint{Pattern: "GET /metrics", Handler: handler}
}
