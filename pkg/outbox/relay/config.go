package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/outboxpg"
)

// Config is what an [Engine] needs. Zero numbers mean the defaults.
type Config struct {
	// Name of the database, for logs and status.
	Name string
	// Log is the outbox to read, and Shard the part of it.
	Log   *outboxpg.Log
	Shard int
	// Open starts a session with the broker that takes half a Window of unconfirmed
	// messages. Each engine has its own, and now and then a second one for a message
	// that may end its session.
	Open func(ctx context.Context) (Publisher, error)
	// Holder names this process in the leases and on the roster. No two engines of one
	// shard, and no two crews, may share it: each would take the lease from the other.
	Holder string
	// Lease is how long a silent relay keeps the others out; default 5 s, at
	// least 1 s, at most 5 min. It is renewed three times as often.
	Lease time.Duration
	// Window is how many messages a crash may publish a second time; default 2048.
	// Half of it may be unconfirmed.
	Window int
	// Page is how many rows are read at once; default 1024.
	Page int
	// RetryFor is how long a message is tried that the broker refuses, before it is
	// dead; default 24 h.
	RetryFor time.Duration
	// Rung gives a channel that is closed when something is committed, and says whether that
	// was so often of late that more may be committed without telling. Where nobody tells,
	// it is nil, or gives nil as long as that is so, and the log is polled more often.
	Rung func() (rung <-chan struct{}, often bool)
	// Caller carries the messages that go by a call; nil where all go to the broker.
	Caller Caller
	// Confirmed is told of each message when the broker has confirmed it; may be nil.
	// It must not block.
	Confirmed func(*outbox.Record)
	// Faults takes what fails, from here and from other tasks of the same database; where it
	// is nil, it is made.
	Faults *Faults
	// Logger takes the changes of state. Bodies of messages never go there.
	Logger *zap.Logger
}

const (
	defaultLease    = 5 * time.Second
	minLease        = time.Second
	maxLease        = 5 * time.Minute // as the tables say
	defaultWindow   = 2048
	defaultPage     = 1024
	defaultRetryFor = 24 * time.Hour
)

// complete fills in the defaults and checks the rest.
func (c Config) complete() (Config, error) {
	c.Lease = cmp.Or(c.Lease, defaultLease)
	c.Window = cmp.Or(c.Window, defaultWindow)
	c.Page = cmp.Or(c.Page, defaultPage)
	c.RetryFor = cmp.Or(c.RetryFor, defaultRetryFor)
	switch {
	case c.Name == "" || c.Holder == "":
		return c, errors.New("relay: Config.Name and Config.Holder must be set")
	case c.Log == nil || c.Open == nil || c.Logger == nil:
		return c, errors.New("relay: Config.Log, Config.Open and Config.Logger must be set")
	case c.Lease < minLease || c.Lease > maxLease:
		return c, fmt.Errorf("relay: Config.Lease is %v, want %v to %v", c.Lease, minLease, maxLease)
	case c.Window < 1 || c.Page < 1:
		return c, errors.New("relay: Config.Window and Config.Page must be at least 1")
	case c.Shard < 0 || c.RetryFor < 0:
		return c, errors.New("relay: Config.Shard and Config.RetryFor must not be negative")
	}
	if c.Faults == nil {
		c.Faults = NewFaults(c.Name, c.Logger)
	}
	return c, nil
}
