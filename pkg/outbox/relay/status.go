package relay

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/outbox"
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
	// Unconfirmed: there is a session, and the broker confirms nothing.
	Unconfirmed State = "unconfirmed"
	// BrokerDown and DatabaseDown: retries with backoff.
	BrokerDown   State = "broker-down"
	DatabaseDown State = "database-down"
	// DatabaseError: the database answers, with an error that the reason has.
	DatabaseError State = "database-error"
	// NoRights: the database's role may not do all it has to. The reason has the
	// statements that heal it.
	NoRights State = "no-rights"
)

// States are all of them.
func States() []State {
	return []State{Starting, Standby, Active, Blocked, Unconfirmed, BrokerDown, DatabaseDown, DatabaseError, NoRights}
}

// Healthy says whether the engine does all it should.
func (s State) Healthy() bool { return s == Standby || s == Active }

// Status is a snapshot of an engine.
type Status struct {
	Name  string
	Shard int
	State State
	// Since is when the state began, by this process's clock.
	Since time.Time
	// PublishedID is the row of the log that this engine published last; 0 before
	// the first.
	PublishedID int64
	// Confirmed and Refused count the broker's answers. Unanswered counts the
	// messages whose outcome stayed unknown: consumers may see them twice.
	Confirmed, Refused, Unanswered int64
	// VoidLeases and VoidMembers count leases taken and memberships passed over that counted
	// by the database's clock alone, and PulledIn retries that were too far ahead: the clock
	// was set back.
	VoidLeases, VoidMembers, PulledIn int64
	// TimelineChanges count leases that met another timeline of the server's log than the lease
	// before: the database failed over.
	TimelineChanges int64
	// Oldest is when the transaction of the oldest message in work began, by the
	// database's clock; zero when the log is published as far as it has been read.
	Oldest time.Time
	// InWork is how many messages are read and not passed by the position.
	InWork int
	// LastError is the reason of an unhealthy state, else empty.
	LastError string
}

// board holds the status and logs its changes, once each.
type board struct {
	mu        sync.Mutex
	status    Status
	log       *zap.Logger
	confirmed func(*outbox.Record)
	logged    time.Time            // when the state was, last
	times     int                  // that it was set since
	refusals  map[string]time.Time // when the last of a class was logged; the stream's own
}

func newBoard(cfg Config) *board {
	return &board{
		status:    Status{Name: cfg.Name, Shard: cfg.Shard, State: Starting, Since: time.Now()},
		log:       cfg.Logger.With(zap.String("database", cfg.Name), zap.Int("shard", cfg.Shard)),
		confirmed: cfg.Confirmed,
		refusals:  map[string]time.Time{},
	}
}

// set shows a state and its reason. Reasons of the same outage vary (port
// numbers, timings), so they count as no change. A trouble that lasts is logged again.
func (b *board) set(state State, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was, now := b.status, time.Now()
	b.status.State, b.status.LastError = state, reason
	b.times++
	changed := was.State != state
	if !changed && (state.Healthy() || now.Sub(b.logged) < repeatEvery) {
		return
	}
	if changed {
		b.status.Since, b.times = now, 1
	}
	fields := []zap.Field{zap.String("state", string(state)), zap.Int64("published_id", was.PublishedID)}
	if state.Healthy() {
		b.log.Info("the relay is "+string(state), fields...)
		return
	}
	fields = append(fields, zap.String("reason", reason))
	if !changed {
		fields = append(fields, zap.Int("times", b.times), zap.Duration("for", now.Sub(b.status.Since)))
	}
	b.log.Warn("the relay does not publish: "+string(state), fields...)
	b.logged, b.times = now, 0
}

// failedOver counts a changed timeline.
func (b *board) failedOver() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.TimelineChanges++
}

// void counts what was honoured by nobody because the database's clock was set back.
func (b *board) void(leases, retries int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.VoidLeases += leases
	b.status.PulledIn += retries
}

// heard counts the broker's answers; publishedID is 0 where none was a yes.
func (b *board) heard(confirmed, refused, unanswered int, publishedID int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.Confirmed += int64(confirmed)
	b.status.Refused += int64(refused)
	b.status.Unanswered += int64(unanswered)
	b.status.PublishedID = max(b.status.PublishedID, publishedID)
}

// tell passes a confirmed message on to who measures.
func (b *board) tell(r *outbox.Record) {
	if b.confirmed != nil {
		b.confirmed(r)
	}
}

// refusal logs one refused message of a class a minute; outbox_parked has them all.
func (b *board) refusal(r *outbox.Record, reason string, err error) {
	if time.Since(b.refusals[reason]) < time.Minute {
		return
	}
	b.refusals[reason] = time.Now()
	b.log.Warn("the broker refuses messages: they are parked and tried again, see `relay parked`",
		zap.String("reason", reason), zap.Int64("id", r.Position), zap.String("type", r.Type),
		zap.String("exchange", r.Exchange), zap.String("routing_key", r.RoutingKey), zap.Error(err))
}

// progress shows what is in work.
func (b *board) progress(inWork int, oldest time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status.InWork, b.status.Oldest = inWork, oldest
}

func (b *board) get() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}
