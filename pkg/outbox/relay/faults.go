package relay

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/outbox/outboxpg"
)

// Tasks of the relay that can fail while others work.
const (
	TaskPublish = "publish" // an engine's turns
	TaskRelease = "release" // the last write of a turn
	TaskRoster  = "roster"  // the look at the other relays
	TaskUpkeep  = "upkeep"  // of the partitions
	TaskReshard = "reshard" // to the number of shards that is set
	TaskMetrics = "metrics" // the look at the database for metrics
	TaskNotify  = "notify"  // to hear of commits
)

// Faults keeps what the tasks of one database's relay fail with, for people, readiness and
// metrics. A failure is logged at once, and again once a minute for as long as it lasts.
// It is safe for concurrent use.
type Faults struct {
	log *zap.Logger

	mu     sync.Mutex
	tasks  map[string]*failing
	counts map[FaultClass]int64
	now    func() time.Time
}

// Fault is a task that fails, since when, and with what the last time.
type Fault struct {
	Task  string
	Since time.Time
	Err   error
}

// FaultClass is what failures are counted by. SQLState is empty where an error is none of
// the database's.
type FaultClass struct{ Task, SQLState string }

// failing is a task's failure and when it was last logged.
type failing struct {
	Fault
	times  int // since it was last logged
	logged time.Time
}

// repeatEvery is how often a failure that lasts is logged.
const repeatEvery = time.Minute

// NewFaults keeps the faults of the database of that name.
func NewFaults(database string, logger *zap.Logger) *Faults {
	return &Faults{
		log: logger.With(zap.String("database", database)), now: time.Now,
		tasks: map[string]*failing{}, counts: map[FaultClass]int64{},
	}
}

// Report says how a task went; nil says that it works.
func (f *Faults) Report(task string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, was := f.now(), f.tasks[task]
	if err == nil {
		if was != nil {
			f.log.Info("a task of the relay works again", zap.String("task", task))
		}
		delete(f.tasks, task)
		return
	}
	f.count(task, err)
	fault := Fault{Task: task, Since: now, Err: err}
	if was == nil {
		was = &failing{}
		f.tasks[task] = was
	} else {
		fault.Since = was.Since
	}
	changed := was.Err == nil || outboxpg.SQLState(was.Err) != outboxpg.SQLState(err)
	was.Fault = fault
	was.times++
	if changed || now.Sub(was.logged) >= repeatEvery {
		f.log.Warn("a task of the relay fails", zap.Error(err), zap.String("task", task),
			zap.Int("times", was.times), zap.Duration("for", now.Sub(fault.Since)))
		was.times, was.logged = 0, now
	}
}

// Count counts a failure that is shown and logged elsewhere.
func (f *Faults) Count(task string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count(task, err)
}

func (f *Faults) count(task string, err error) { f.counts[FaultClass{task, outboxpg.SQLState(err)}]++ }

// Failing are the tasks that fail at present, by name.
func (f *Faults) Failing() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Fault
	for _, t := range f.tasks {
		all = append(all, t.Fault)
	}
	slices.SortFunc(all, func(a, b Fault) int { return cmp.Compare(a.Task, b.Task) })
	return all
}

// Counts are the failures so far.
func (f *Faults) Counts() map[FaultClass]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.counts)
}
