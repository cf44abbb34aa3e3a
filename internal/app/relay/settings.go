// Package relay wires the relay's engines, one for each database, to the
// databases, the broker and the health port.
package relay

import (
	"errors"
	"fmt"
	"time"

	"go.example/saga/internal/config"
)

// Settings are those of every command of the relay.
type Settings struct {
	// DatabaseURLs names the databases whose outboxes are relayed, in the URL
	// form, separated by white space or commas.
	DatabaseURLs config.Secret `yaml:"database_urls" env:"DATABASE_URLS"`
	// DatabaseSchema holds the tables; empty means public.
	DatabaseSchema string `yaml:"database_schema" env:"DATABASE_SCHEMA"`
	// AMQPURL is needed by run; status dials it if it is set.
	AMQPURL config.Secret `yaml:"amqp_url" env:"AMQP_URL"`
	// HealthAddr serves /livez and /readyz; empty serves neither.
	HealthAddr string `yaml:"health_addr" env:"HEALTH_ADDR"`
	LogLevel   string `yaml:"log_level" env:"LOG_LEVEL"`
	LogFormat  string `yaml:"log_format" env:"LOG_FORMAT"`
	// Window is how many messages of a database may be unconfirmed.
	Window int `yaml:"window" env:"RELAY_WINDOW"`
	// Page is how many rows are read at once.
	Page int `yaml:"page" env:"RELAY_PAGE"`
	// Lease is how long a silent relay keeps a standby out.
	Lease time.Duration `yaml:"lease" env:"RELAY_LEASE"`
}

// DefaultSettings are what holds where nothing else is said.
func DefaultSettings() Settings {
	return Settings{Window: 1024, Page: 1024, Lease: 5 * time.Second}
}

const (
	maxWindow = 65536
	minLease  = time.Second
	maxLease  = 5 * time.Minute
)

// Validate implements [config.Validator].
func (s *Settings) Validate() error {
	var databases, window, page, lease error
	if len(config.List(s.DatabaseURLs.Reveal())) == 0 {
		databases = config.Required("the list of databases", "DATABASE_URLS",
			"\"postgres://user@127.0.0.1:5432/saga_hotel postgres://user@127.0.0.1:5432/saga_payment\"")
	}
	if s.Window < 1 || s.Window > maxWindow {
		window = fmt.Errorf("RELAY_WINDOW is %d, want 1 to %d", s.Window, maxWindow)
	}
	if s.Page < 1 || s.Page > maxWindow {
		page = fmt.Errorf("RELAY_PAGE is %d, want 1 to %d", s.Page, maxWindow)
	}
	if s.Lease < minLease || s.Lease > maxLease {
		lease = fmt.Errorf("RELAY_LEASE is %v, want %v to %v", s.Lease, minLease, maxLease)
	}
	return errors.Join(databases, window, page, lease)
}

// RequireBroker is nil if the broker's address is set.
func (s *Settings) RequireBroker() error {
	if s.AMQPURL == "" {
		return config.Required("the broker", "AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
	}
	return nil
}
