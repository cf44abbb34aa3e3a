// Package relay wires the relay's engines, one for each database, to the
// databases, the broker and the health port.
package relay

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"go.example/saga/internal/app"
	"go.example/saga/internal/config"
	"go.example/saga/pkg/httpcall"
	"go.example/saga/pkg/outbox/adopt"
)

// Settings are those of every command of the relay.
type Settings struct {
	// DatabaseURLs names the databases whose outboxes are relayed: URLs, separated by
	// white space or commas, or one database in the form of keywords. A URL may name the
	// schema of its tables, with ?schema=hotel.
	DatabaseURLs config.Secret `env:"DATABASE_URLS"`
	// DatabaseURLsFile holds them instead, and is read again for each connection, so
	// that passwords and hosts can change while the relay runs.
	DatabaseURLsFile string `env:"DATABASE_URLS_FILE"`
	// DatabaseSchema holds the tables of entries that name no schema; empty means public.
	DatabaseSchema string `env:"DATABASE_SCHEMA"`
	// Broker is needed by run; status dials it if it is set.
	config.Broker
	// HealthAddr serves /livez, /readyz and /metrics; empty serves none of them.
	HealthAddr string `env:"HEALTH_ADDR"`
	LogLevel   string `env:"LOG_LEVEL"`
	LogFormat  string `env:"LOG_FORMAT"`
	// Shards is the number of parts that the outboxes are shared out in; 0 leaves it
	// as it is.
	Shards int `env:"RELAY_SHARDS"`
	// PollOnly does without LISTEN.
	PollOnly bool `env:"RELAY_POLL_ONLY"`
	// RetryFor is how long a message is tried that the broker refuses.
	RetryFor time.Duration `env:"RELAY_RETRY_FOR"`
	// Retention is how long published rows are kept at least.
	Retention time.Duration `env:"RELAY_RETENTION"`
	// PartitionRows is how many rows a partition of the outbox takes.
	PartitionRows int64 `env:"RELAY_PARTITION_ROWS"`
	// Window is how many messages of a shard a crash may publish a second time.
	Window int `env:"RELAY_WINDOW"`
	// Page is how many rows are read at once.
	Page int `env:"RELAY_PAGE"`
	// Lease is how long a silent relay keeps a standby out.
	Lease time.Duration `env:"RELAY_LEASE"`
	// HTTPTargets are the origins that steps with transport http may call.
	HTTPTargets string `env:"HTTP_TARGETS"`
	// HTTPPrivate allows targets whose names stand for private addresses.
	HTTPPrivate bool `env:"HTTP_PRIVATE_ADDRESSES"`
	// HTTPPerHost is how many calls there are to one host at a time, and HTTPTimeout how long
	// one may take.
	HTTPPerHost int           `env:"HTTP_CALLS_PER_HOST"`
	HTTPTimeout time.Duration `env:"HTTP_TIMEOUT"`
	// Adopt says how the rows of a table that somebody else made are messages. It
	// stands in the file alone; without a table, the outbox is the relay's own.
	Adopt adopt.Mapping `yaml:"adopt"`
}

// DefaultSettings are what holds where nothing else is said.
func DefaultSettings() Settings {
	return Settings{
		Window: 2048, Page: 1024, Lease: 5 * time.Second,
		RetryFor: 24 * time.Hour, Retention: 7 * 24 * time.Hour, PartitionRows: 1_000_000,
		HTTPPerHost: httpcall.DefaultPerHost, HTTPTimeout: httpcall.DefaultTimeout,
	}
}

const (
	maxWindow = 65536
	minLease  = time.Second
	maxLease  = 5 * time.Minute
	maxShards = 1024
)

// Validate implements [config.Validator].
func (s *Settings) Validate() error {
	return errors.Join(s.validateDatabases(), app.CheckSchema(s.DatabaseSchema), app.CheckBroker(s.Broker),
		within("RELAY_WINDOW", s.Window, 1, maxWindow), within("RELAY_PAGE", s.Page, 1, maxWindow),
		within("RELAY_LEASE", s.Lease, minLease, maxLease), within("RELAY_SHARDS", s.Shards, 0, maxShards),
		within("RELAY_RETRY_FOR", s.RetryFor, time.Second, 10*365*24*time.Hour),
		within("RELAY_RETENTION", s.Retention, time.Second, 100*365*24*time.Hour),
		within("RELAY_PARTITION_ROWS", s.PartitionRows, 1000, 1_000_000_000),
		within("HTTP_CALLS_PER_HOST", s.HTTPPerHost, 1, 4096), within("HTTP_TIMEOUT", s.HTTPTimeout, 10*time.Millisecond, 5*time.Minute),
		s.validateTargets())
}

func (s *Settings) validateTargets() error {
	_, err := httpcall.ParseTargets(s.HTTPTargets, s.HTTPPrivate)
	if err != nil {
		return fmt.Errorf("HTTP_TARGETS: %w", err)
	}
	return nil
}

// validateDatabases judges the list as it is at the start.
func (s *Settings) validateDatabases() error {
	all, err := s.entries()
	if err == nil && len(all) == 0 {
		return config.Required("the list of databases", "DATABASE_URLS",
			"\"postgres://user@127.0.0.1:5432/saga_hotel postgres://user@127.0.0.1:5432/saga_payment\"")
	}
	return err
}

func within[T cmp.Ordered](variable string, value, least, most T) error {
	if value < least || value > most {
		return fmt.Errorf("%s is %v, want %v to %v", variable, value, least, most)
	}
	return nil
}

func (s *Settings) databases() (config.Secret, error) {
	return config.ReadSecret("DATABASE_URLS", s.DatabaseURLs, s.DatabaseURLsFile)
}
