package relay

import (
	"cmp"
	"net/http"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// What docs/metrics.md explains. The label database is added where a meter is
// registered.
var (
	descAge = desc("oldest_unpublished_age_seconds",
		"Age of the oldest committed message that this process has to publish and has not, without parked ones; 0 when there is none. While the database cannot be asked, the time since that was last known is in it.")
	descInWork = desc("in_work_messages",
		"Messages that are read and that the position has not passed yet.", "shard")
	descParked = desc("parked_messages",
		"Messages set aside in outbox_parked, by state and by the reason of the last failed attempt; counted every 15 s.", "state", "reason")
	descConfirmed = desc("messages_confirmed_total",
		"Messages that the broker has confirmed.")
	descRefused = desc("messages_refused_total",
		"Answers of the broker that refuse a message, retries included; outbox_parked has the reasons.")
	descDuplicates = desc("duplicates_possible_total",
		"Messages whose outcome stayed unknown when a session broke: they are published again, and consumers may see them twice.")
	descPositionAge = desc("position_age_seconds",
		"Time since a relay last wrote the shard's position or renewed its lease, from a look every 15 s.", "shard")
	descPositionLag = desc("position_lag_transactions",
		"Transactions of the database cluster that began since the shard's position, from a look every 15 s.", "shard")
	descState = desc("shard_state",
		"1 for the state that the shard's engine in this process is in, 0 for the others.", "shard", "state")
	descListening = desc("notify_listening",
		"1 while announcements of writers arrive, 0 while the outbox is only polled; absent with RELAY_POLL_ONLY.")
)

const namespace = "saga_relay"

func desc(metric, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", metric), help, labels, nil)
}

// newRegistry has what is measured of the process itself.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), buildInfo())
	return registry
}

func buildInfo() prometheus.Collector {
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

// metricsHandler serves the registry. A scrape reads memory and asks nobody.
func metricsHandler(registry *prometheus.Registry, log *zap.Logger) http.Handler {
	errorLog, _ := zap.NewStdLogAt(log, zap.WarnLevel)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: errorLog, ErrorHandling: promhttp.ContinueOnError})
}
