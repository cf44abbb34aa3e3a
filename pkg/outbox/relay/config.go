package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/outbox/outboxpg"
)

// Config is what an [Engine] needs. Zero numbers mean the defaults.
type Config struct {
	// Name of the database, for logs and status.
	Name string
	// Log is the outbox to read.
	Log *outboxpg.Log
	// Open starts a session with the broker that takes Window unconfirmed
	// messages. Each engine has its own.
	Open func(ctx context.Context) (Publisher, error)
	// Holder names this engine in the lease. No two engines may share it: each
	// would take the lease from the other.
	Holder string
	// Lease is how long a silent relay keeps the others out; default 5 s, at
	// least 1 s. It is renewed three times as often.
	Lease time.Duration
	// Window is how many messages may be unconfirmed; default 1024.
	Window int
	// Page is how many rows are read at once; default 1024.
	Page int
	// Logger takes the changes of state. Bodies of messages never go there.
	Logger *zap.Logger
}

const (
	defaultLease  = 5 * time.Second
	minLease      = time.Second
	defaultWindow = 1024
	defaultPage   = 1024
)

// complete fills in the defaults and checks the rest.
func (c Config) complete() (Config, error) {
	c.Lease = cmp.Or(c.Lease, defaultLease)
	c.Window = cmp.Or(c.Window, defaultWindow)
	c.Page = cmp.Or(c.Page, defaultPage)
	switch {
	case c.Name == "" || c.Holder == "":
		return c, errors.New("relay: Config.Name and Config.Holder must be set")
	case c.Log == nil || c.Open == nil || c.Logger == nil:
		return c, errors.New("relay: Config.Log, Config.Open and Config.Logger must be set")
	case c.Lease < minLease:
		return c, fmt.Errorf("relay: Config.Lease %v is below %v", c.Lease, minLease)
	case c.Window < 1 || c.Page < 1:
		return c, errors.New("relay: Config.Window and Config.Page must be at least 1")
	}
	return c, nil
}
