package orchestrator

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"go.example/saga/internal/app"
	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/rabbit"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagayaml"
	"go.example/saga/pkg/saga/watcher"
)

// taskWatch is the task of the watcher, and watching the name of its consumer.
const (
	taskWatch = "watch"
	watching  = "watcher"
)

// What docs/metrics.md explains.
var descLate = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "late_courses"),
	"Watched courses of choreographies of which a service's event is missing that had to be there by now. Counted every 15 s.",
	[]string{"type", "missing"}, nil)

// Choreographies reads the files that WATCH_DEFINITIONS names.
func (s *Settings) Choreographies() (all []saga.Choreography, err error) {
	for _, file := range strings.Fields(s.WatchDefinitions) {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("WATCH_DEFINITIONS: %w", err)
		}
		doc, err := sagayaml.ReadChoreography(text)
		if err != nil {
			return nil, fmt.Errorf("WATCH_DEFINITIONS: %s: %w", file, err)
		}
		for _, other := range all {
			if other.Name == doc.Choreography.Name {
				return nil, fmt.Errorf("WATCH_DEFINITIONS: %s: choreography %s is given twice: give one version of it", file, other.Name)
			}
		}
		all = append(all, doc.Choreography)
	}
	return all, nil
}

// taskNames are those of the daemon's tasks.
func taskNames(watches bool) []string {
	names := []string{taskCheck, taskReplies, taskTimers, taskRetention, taskMetrics, app.TaskDeadLetters}
	if watches {
		names = append(names, taskWatch)
	}
	return names
}

// watch returns what watches the choreographies; where there are none it does nothing. It
// hears facts as like says how replies are heard.
func watch(
	choreographies []saga.Choreography, registry prometheus.Registerer, like inbox.Config, broker rabbit.Config, report func(error), retention time.Duration,
) (func(context.Context) error, error) {
	if len(choreographies) == 0 {
		return func(context.Context) error { return nil }, nil
	}
	facts, late := watchFacts(registry, like.Log)
	w, err := watcher.New(watcher.Config{
		Choreographies: choreographies, DB: like.DB, Schema: like.Schema, Retention: retention, Log: like.Log,
		Observe: func(o watcher.Outcome) { facts.WithLabelValues(string(o)).Inc() },
	})
	if err != nil {
		return nil, fmt.Errorf("WATCH_DEFINITIONS: %w", err)
	}
	late.count = w.Late
	hear := like
	hear.Name, hear.Handle, hear.Rights, hear.Report = watching, w.Handle, watcher.Rights, report
	hear.Open = rabbit.HearEvents(broker, protocol.WatchQueue(like.Service), w.Patterns()...)
	return func(ctx context.Context) error {
		return app.Run(ctx, late.run, w.RunRetention, func(ctx context.Context) error { return inbox.Run(ctx, hear) })
	}, nil
}

// lateness is how many courses are late, as it was found last.
type lateness struct {
	count func(context.Context) ([]watcher.Late, error)
	log   *zap.Logger

	mu      sync.Mutex
	last    []watcher.Late
	failing bool
}

// watchFacts registers the metrics of a watcher, and has it tell what it hears.
func watchFacts(registry prometheus.Registerer, log *zap.Logger) (facts *prometheus.CounterVec, late *lateness) {
	facts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "watched_facts_total", Help: "Facts that the watcher has heard, by what became of them: marked, known, unexpected, old, refused.",
	}, []string{"outcome"})
	late = &lateness{log: log}
	registry.MustRegister(facts, late)
	return facts, late
}

// run looks at the database until ctx is done.
func (l *lateness) run(ctx context.Context) error {
	pause := time.NewTicker(lookPause)
	defer pause.Stop()
	for {
		asking, cancel := context.WithTimeout(ctx, lookTimeout)
		found, err := l.count(asking)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		l.note(found, err)
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}

// note keeps what was found, and says once that courses are late, and that none is any more.
func (l *lateness) note(found []watcher.Late, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		if !l.failing {
			l.log.Warn("how many courses are late cannot be asked", zap.Error(err))
		}
		l.failing = true
		return
	}
	l.failing = false
	known := map[string]bool{}
	for _, one := range l.last {
		known[one.Choreography+" "+one.Service] = true
	}
	for _, one := range found {
		if !known[one.Choreography+" "+one.Service] {
			l.log.Warn("a service is missing in watched courses: see the view saga_stuck", zap.String("type", one.Choreography),
				zap.String("missing", one.Service), zap.Int64("courses", one.Courses))
		}
	}
	if len(found) == 0 && len(l.last) > 0 {
		l.log.Info("no watched course is late any more")
	}
	l.last = found
}

// Describe implements [prometheus.Collector].
func (l *lateness) Describe(descs chan<- *prometheus.Desc) { descs <- descLate }

// Collect implements [prometheus.Collector].
func (l *lateness) Collect(metrics chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.last {
		metrics <- prometheus.MustNewConstMetric(descLate, prometheus.GaugeValue, float64(one.Courses), one.Choreography, one.Service)
	}
}
