// Package relay wires the relay's engines, one for each database, to the
// databases, the broker and the health port.
package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.example/saga/internal/address"
	"go.example/saga/internal/app"
	"go.example/saga/internal/config"
	"go.example/saga/pkg/outbox/adopt"
)

// Settings are those of every command of the relay.
type Settings struct {
	// DatabaseURLs names the databases whose outboxes are relayed: URLs, separated by
	// white space or commas, or one database in the form of keywords.
	DatabaseURLs config.Secret `yaml:"database_urls" env:"DATABASE_URLS"`
	// DatabaseURLsFile holds them instead, and is read again for each connection, so
	// that passwords and hosts can change while the relay runs.
	DatabaseURLsFile string `yaml:"database_urls_file" env:"DATABASE_URLS_FILE"`
	// DatabaseSchema holds the tables; empty means public.
	DatabaseSchema string `yaml:"database_schema" env:"DATABASE_SCHEMA"`
	// AMQPURL is needed by run; status dials it if it is set. Of several URLs, or hosts in
	// one, the first that answers is used.
	AMQPURL config.Secret `yaml:"amqp_url" env:"AMQP_URL"`
	// AMQPURLFile holds it instead, and is read again for each connection.
	AMQPURLFile string `yaml:"amqp_url_file" env:"AMQP_URL_FILE"`
	// AMQPCAFile, AMQPCertFile and AMQPKeyFile are PEM files for amqps URLs: who signs
	// the broker's certificate where the system does not know, and this client's own.
	AMQPCAFile   string `yaml:"amqp_ca_file" env:"AMQP_CA_FILE"`
	AMQPCertFile string `yaml:"amqp_cert_file" env:"AMQP_CERT_FILE"`
	AMQPKeyFile  string `yaml:"amqp_key_file" env:"AMQP_KEY_FILE"`
	// HealthAddr serves /livez, /readyz and /metrics; empty serves none of them.
	HealthAddr string `yaml:"health_addr" env:"HEALTH_ADDR"`
	LogLevel   string `yaml:"log_level" env:"LOG_LEVEL"`
	LogFormat  string `yaml:"log_format" env:"LOG_FORMAT"`
	// Shards is the number of parts that the outboxes are shared out in; 0 leaves it
	// as it is.
	Shards int `yaml:"shards" env:"RELAY_SHARDS"`
	// PollOnly does without LISTEN.
	PollOnly bool `yaml:"poll_only" env:"RELAY_POLL_ONLY"`
	// RetryFor is how long a message is tried that the broker refuses.
	RetryFor time.Duration `yaml:"retry_for" env:"RELAY_RETRY_FOR"`
	// Retention is how long published rows are kept at least.
	Retention time.Duration `yaml:"retention" env:"RELAY_RETENTION"`
	// PartitionRows is how many rows a partition of the outbox takes.
	PartitionRows int64 `yaml:"partition_rows" env:"RELAY_PARTITION_ROWS"`
	// Window is how many messages of a shard a crash may publish a second time.
	Window int `yaml:"window" env:"RELAY_WINDOW"`
	// Page is how many rows are read at once.
	Page int `yaml:"page" env:"RELAY_PAGE"`
	// Lease is how long a silent relay keeps a standby out.
	Lease time.Duration `yaml:"lease" env:"RELAY_LEASE"`
	// Adopt says how the rows of a table that somebody else made are messages. It
	// stands in the file alone; without a table, the outbox is the relay's own.
	Adopt adopt.Mapping `yaml:"adopt"`
}

// DefaultSettings are what holds where nothing else is said.
func DefaultSettings() Settings {
	return Settings{
		Window: 2048, Page: 1024, Lease: 5 * time.Second,
		RetryFor: 24 * time.Hour, Retention: 7 * 24 * time.Hour, PartitionRows: 1_000_000,
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
	return errors.Join(s.validateDatabases(), s.validateBroker(),
		within("RELAY_WINDOW", s.Window, 1, maxWindow), within("RELAY_PAGE", s.Page, 1, maxWindow),
		within("RELAY_LEASE", s.Lease, minLease, maxLease), within("RELAY_SHARDS", s.Shards, 0, maxShards),
		within("RELAY_RETRY_FOR", s.RetryFor, time.Second, 10*365*24*time.Hour),
		within("RELAY_RETENTION", s.Retention, time.Second, 100*365*24*time.Hour),
		within("RELAY_PARTITION_ROWS", s.PartitionRows, 1000, 1_000_000_000))
}

// validateDatabases judges the list as it is at the start.
func (s *Settings) validateDatabases() error {
	if err := either("DATABASE_URLS", s.DatabaseURLs, s.DatabaseURLsFile); err != nil {
		return err
	}
	text, err := fileOr(s.DatabaseURLs, s.DatabaseURLsFile)
	if err != nil {
		return fmt.Errorf("DATABASE_URLS_FILE: %w", err)
	}
	urls, err := address.Databases(text)
	if err != nil {
		return fmt.Errorf("DATABASE_URLS: %w", err)
	}
	if len(urls) == 0 {
		return config.Required("the list of databases", "DATABASE_URLS",
			"\"postgres://user@127.0.0.1:5432/saga_hotel postgres://user@127.0.0.1:5432/saga_payment\"")
	}
	return nil
}

func (s *Settings) validateBroker() error {
	if err := either("AMQP_URL", s.AMQPURL, s.AMQPURLFile); err != nil {
		return err
	}
	text, err := fileOr(s.AMQPURL, s.AMQPURLFile)
	if err != nil {
		return fmt.Errorf("AMQP_URL_FILE: %w", err)
	}
	if s.RequireBroker() != nil {
		return nil // a command that needs it says so
	}
	return app.CheckBroker("AMQP_URL", config.Secret(text))
}

func within[T cmp.Ordered](variable string, value, least, most T) error {
	if value < least || value > most {
		return fmt.Errorf("%s is %v, want %v to %v", variable, value, least, most)
	}
	return nil
}

func either(variable string, value config.Secret, file string) error {
	if value != "" && file != "" {
		return fmt.Errorf("%s and %s_FILE are both set: which one holds?", variable, variable)
	}
	return nil
}

// RequireBroker is nil if the broker's address is set.
func (s *Settings) RequireBroker() error {
	if s.AMQPURL == "" && s.AMQPURLFile == "" {
		return config.Required("the broker", "AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
	}
	return nil
}

// databaseURLs reads the list as it is now.
func (s *Settings) databaseURLs() ([]string, error) {
	text, err := fileOr(s.DatabaseURLs, s.DatabaseURLsFile)
	return address.SplitDatabases(text), err
}

func (s *Settings) amqpURL(context.Context) (string, error) {
	text, err := fileOr(s.AMQPURL, s.AMQPURLFile)
	return text, err
}

func fileOr(value config.Secret, file string) (string, error) {
	if file == "" {
		return value.Reveal(), nil
	}
	text, err := os.ReadFile(file) // #nosec G304 -- the operator names it
	return string(text), err
}
