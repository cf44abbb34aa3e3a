package relay

import "github.com/prometheus/client_golang/prometheus"

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
	descFailing = desc("task_failing",
		"1 while a task beside publishing fails, 0 while it works.", "task")
	descErrors = desc("errors_total",
		"Errors that tasks have met, by the database's SQLSTATE; none where it is another's error.", "task", "sqlstate")
	descClock = desc("clock_set_back_total",
		"Leases, memberships and retries that were void: further in the future than their own length.", "kind")
	descTimeline = desc("timeline_changes_total",
		"Leases that met another timeline of the server's log than the lease before: the database failed over, and commits may have been lost.")
	descListening = desc("notify_listening",
		"1 while announcements of writers arrive, 0 while the outbox is only polled; absent with RELAY_POLL_ONLY.")
)

const namespace = "saga_relay"

func desc(metric, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", metric), help, labels, nil)
}
