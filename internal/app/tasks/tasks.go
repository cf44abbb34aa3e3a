// Package tasks keeps how the tasks of a daemon go: for its readiness and its metrics.
package tasks

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/saga/sagapg"
)

// What is the matter when a task of a daemon fails.
const (
	Rights   = "rights"   // the role lacks a right, or row security hides rows from it
	Tables   = "tables"   // a table, a column or a function is missing: migrate
	Row      = "row"      // a row cannot be read or written; others can
	Circuit  = "circuit"  // messages fail one after another: they are given back, see inbox
	Relay    = "relay"    // answers do not leave the outbox: no commands are taken
	Database = "database" // it is away, or refuses for another reason
	Broker   = "broker"   // it is away, or refuses
	Starting = "starting" // the task has not begun
)

var errStarting = errors.New("it has not begun yet")

// Matter says what is the matter, and which SQLSTATE the error has, if any.
func Matter(err error) (matter, state string) {
	var coded interface{ SQLState() string }
	if errors.As(err, &coded) {
		state = coded.SQLState()
	}
	var row *sagapg.SagaError
	switch {
	case errors.Is(err, errStarting):
		return Starting, ""
	case state == "42501":
		return Rights, state
	case slices.Contains([]string{"42P01", "42703", "42883", "3F000"}, state):
		return Tables, state
	case errors.Is(err, inbox.ErrCircuitOpen):
		return Circuit, state
	case errors.Is(err, participant.ErrAnswersLie):
		return Relay, state
	case errors.As(err, &row):
		return Row, state
	case state == "" && errors.Is(err, inbox.ErrBroker):
		return Broker, ""
	}
	return Database, state
}

// Tasks keeps what each task of a daemon failed of last, for its readiness and its
// metrics. It is safe for concurrent use.
type Tasks struct {
	errors  *prometheus.CounterVec
	failing *prometheus.Desc

	mu    sync.Mutex
	names []string
	last  map[string]error
}

// New keeps the tasks in the order of their names; none has begun.
func New(namespace string, names ...string) *Tasks {
	t := &Tasks{
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "task_errors_total", Help: "Times that a task of the daemon failed, by SQLSTATE where the database said why.",
		}, []string{"task", "sqlstate"}),
		failing: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "task_failing"),
			"1 for a task that failed when it was last tried, with what is the matter: rights, tables, row, circuit, relay, database, broker, starting.",
			[]string{"task", "matter", "sqlstate"}, nil),
		names: names, last: map[string]error{},
	}
	for _, name := range names {
		t.last[name] = errStarting
	}
	return t
}

// Of returns the function that is told how the task goes: an error each time that it
// fails, nil when it works.
func (t *Tasks) Of(name string) func(error) {
	return func(err error) {
		if err != nil {
			_, state := Matter(err)
			t.errors.WithLabelValues(name, state).Inc()
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.last[name] = err
	}
}

// Ready is nil if every task works; else it says of each other one what is the matter.
func (t *Tasks) Ready() error { return t.ReadyBut() }

// ReadyBut is [Tasks.Ready] for a daemon that some matters do not keep from being of use.
func (t *Tasks) ReadyBut(matters ...string) error {
	var all []error
	t.each(func(name string, err error) {
		if matter, _ := Matter(err); !slices.Contains(matters, matter) {
			all = append(all, fmt.Errorf("%s: %s: %w", name, matter, err))
		}
	})
	return errors.Join(all...)
}

// each calls do for the tasks that fail, in their order.
func (t *Tasks) each(do func(name string, err error)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range t.names {
		if err := t.last[name]; err != nil {
			do(name, err)
		}
	}
}

// Describe implements [prometheus.Collector].
func (t *Tasks) Describe(descs chan<- *prometheus.Desc) {
	t.errors.Describe(descs)
	descs <- t.failing
}

// Collect implements [prometheus.Collector].
func (t *Tasks) Collect(metrics chan<- prometheus.Metric) {
	t.errors.Collect(metrics)
	t.each(func(name string, err error) {
		matter, state := Matter(err)
		metrics <- prometheus.MustNewConstMetric(t.failing, prometheus.GaugeValue, 1, name, matter, state)
	})
}
