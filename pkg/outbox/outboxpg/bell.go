package outboxpg

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"go.example/saga/pkg/outbox"
)

// Bell rings when the outbox of one database may have new messages: at once, where a
// look at the log every so often comes late. It is a hint and never the truth. Writers
// announce only some of their commits, some writers announce none, and announcements
// are lost with the connection, so the log has to be looked at without a ring too. How
// often may depend on [Bell.State]. A Bell is safe for concurrent use by any number of
// readers.
type Bell struct {
	pool    *pgxpool.Pool
	channel string
	logger  *zap.Logger
	pace    pace

	mu    sync.Mutex
	next  chan struct{}
	rings [often]time.Time // of late, the oldest first
	state BellState
}

// often is how many rings in the time of [outbox.AnnounceBurst] say that a writer may
// have kept a commit to itself; one less than it takes, as they arrive unevenly.
const often = outbox.AnnounceBurst - 1

// BellState says whether the Bell can be relied on to ring soon after an announced commit.
type BellState struct {
	Listening bool
	// Reason says why it does not listen; empty while it does.
	Reason string
	// Pooled says that it is because of a pooler, so that nothing is out of order.
	Pooled bool
}

func (s BellState) String() string {
	if s.Listening {
		return "listening"
	}
	return "polling only: " + s.Reason
}

// pace is how patient a Bell is.
type pace struct {
	answer time.Duration // for a statement or a connection
	echo   time.Duration // for the arrival of the Bell's own announcement
	check  time.Duration // from one such announcement to the next
	pooled time.Duration // to the next try behind a pooler, which seldom changes
}

var usualPace = pace{answer: 5 * time.Second, echo: 3 * time.Second, check: 10 * time.Second, pooled: time.Minute}

// NewBell makes the bell of a schema in the pool's database; the empty schema is
// public. [Bell.Run] listens on a session of its own beside those of the pool, made by
// the pool, and needs a connection of the pool for a moment every ten seconds.
func NewBell(pool *pgxpool.Pool, schema string, logger *zap.Logger) *Bell {
	return &Bell{
		pool:    pool,
		channel: outbox.Channel(schema),
		logger:  logger,
		pace:    usualPace,
		next:    make(chan struct{}),
		state:   BellState{Reason: "not connected yet"},
	}
}

// Run listens until ctx is done, and then returns nil. A connection that breaks or falls
// silent is replaced, after pauses that grow and differ.
func (b *Bell) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 1500*time.Millisecond
	for {
		err := b.listen(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if b.State().Listening {
			pause.Reset()
		}
		b.set(BellState{Reason: err.Error(), Pooled: errors.Is(err, errPooled)})
		wait := pause.NextBackOff()
		if errors.Is(err, errPooled) {
			wait = b.pace.pooled
		}
		sleep(ctx, wait)
	}
}

// Next is closed at the next ring. Take it before looking at the log: what is committed
// after the look then rings this one. Besides announcements, each new session rings
// once, because something may have been missed before it.
func (b *Bell) Next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next
}

// Often says whether the last rings came so fast one after the other that writers may
// have committed something without one, see [outbox.AnnounceEvery]. The log is then to
// be looked at again soon.
func (b *Bell) Often() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	first, last := b.rings[0], b.rings[len(b.rings)-1]
	return !first.IsZero() && last.Sub(first) <= outbox.AnnounceBurst*outbox.AnnounceEvery
}

// State is for people, metrics and the pace of polling.
func (b *Bell) State() BellState {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

func (b *Bell) ring(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	copy(b.rings[:], b.rings[1:])
	b.rings[len(b.rings)-1] = now
	close(b.next)
	b.next = make(chan struct{})
}

func (b *Bell) set(state BellState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if state == b.state {
		return
	}
	b.state = state
	if state.Listening {
		b.logger.Info("listening for announcements of the outbox", zap.String("channel", b.channel))
	} else {
		b.logger.Warn("the outbox is polled only, announcements are not heard", zap.String("reason", state.Reason))
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
