package relay

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// State is what an engine is doing.
type State string

// The states of an engine.
const (
	// Starting: before the first turn has come to anything.
	Starting State = "starting"
	// Standby: another relay holds the lease.
	Standby State = "standby"
	// Active: holds the lease and publishes what comes.
	Active State = "active"
	// Blocked: the broker asked not to be sent anything, see its alarms.
	Blocked State = "blocked"
	// Stalled: stands still before a message that cannot be published.
	Stalled State = "stalled"
	// BrokerDown and DatabaseDown: retries with backoff.
	BrokerDown   State = "broker-down"
	DatabaseDown State = "database-down"
)

// Healthy says whether the engine does all it should.
func (s State) Healthy() bool { return s == Standby || s == Active }

// Status is a snapshot of an engine.
type Status struct {
	Name  string
	State State
	// Since is when the state began, by this process's clock.
	Since time.Time
	// PublishedID is the row that this engine published last; 0 before the first.
	PublishedID int64
	// LastError is the reason of an unhealthy state, else empty.
	LastError string
}

// board holds the status and logs its changes, once each.
type board struct {
	mu     sync.Mutex
	status Status
	log    *zap.Logger
}

func newBoard(name string, log *zap.Logger) *board {
	return &board{
		status: Status{Name: name, State: Starting, Since: time.Now()},
		log:    log.With(zap.String("database", name)),
	}
}

// set shows a state and its reason. Reasons of the same outage vary (port
// numbers, timings), so only a stalled row's reason counts as a change by itself.
func (b *board) set(state State, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.status
	b.status.State, b.status.LastError = state, reason
	if was.State == state && (state != Stalled || was.LastError == reason) {
		return
	}
	b.status.Since = time.Now()
	fields := []zap.Field{zap.String("state", string(state)), zap.Int64("published_id", was.PublishedID)}
	if state.Healthy() {
		b.log.Info("the relay is "+string(state), fields...)
		return
	}
	b.log.Warn("the relay does not publish: "+string(state), append(fields, zap.String("reason", reason))...)
}

func (b *board) published(id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.PublishedID = id
}

func (b *board) get() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}
