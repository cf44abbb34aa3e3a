package orchestrator

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.example/saga/internal/app"
	"go.example/saga/internal/config"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

// maxBatchSize bounds one transaction: a larger one gains nothing and holds its
// locks longer.
const maxBatchSize = 1000

// minRetention leaves time for replies that come late: to a saga that is gone they
// belong to none.
const minRetention = time.Hour

// Settings are those of every command of the orchestrator.
type Settings struct {
	DatabaseURL config.Secret `yaml:"database_url" env:"DATABASE_URL"`
	// DatabaseSchema holds the tables; empty means public.
	DatabaseSchema string `yaml:"database_schema" env:"DATABASE_SCHEMA"`
	// AMQPURL is needed by run only.
	AMQPURL config.Secret `yaml:"amqp_url" env:"AMQP_URL"`
	// Service is the name of the service that the sagas belong to. It is given to the tables
	// when they are migrated, and run does not begin on those of another one. Where it is
	// empty, the tables say it.
	Service string `yaml:"service" env:"SERVICE"`
	// BatchSize bounds the replies, and the timers, of one transaction.
	BatchSize int `yaml:"batch_size" env:"BATCH_SIZE"`
	// Retention is how long a saga is kept after its end; 0 keeps it for ever.
	Retention              time.Duration `yaml:"retention" env:"ORCHESTRATOR_RETENTION"`
	app.QuarantineSettings `yaml:",inline"`
	// HealthAddr serves /livez and /readyz; empty serves neither.
	HealthAddr string `yaml:"health_addr" env:"HEALTH_ADDR"`
	// AdminAddress serves the interface for operators; empty serves none. Beyond this
	// machine it needs a token.
	AdminAddress string        `yaml:"admin_address" env:"ADMIN_ADDRESS"`
	AdminToken   config.Secret `yaml:"admin_token" env:"ADMIN_TOKEN"`
	// AdminTokenFile holds it instead, and is read again for each request.
	AdminTokenFile string `yaml:"admin_token_file" env:"ADMIN_TOKEN_FILE"`
	LogLevel       string `yaml:"log_level" env:"LOG_LEVEL"`
	LogFormat      string `yaml:"log_format" env:"LOG_FORMAT"`
}

// DefaultSettings are what holds where nothing else is said.
func DefaultSettings() Settings {
	return Settings{BatchSize: 100, QuarantineSettings: app.DefaultQuarantineSettings()}
}

// Validate implements [config.Validator].
func (s *Settings) Validate() error {
	var broker, service, batch, retention error
	database := app.CheckDatabase("DATABASE_URL", s.DatabaseURL)
	if s.DatabaseURL == "" {
		database = config.Required("the database", "DATABASE_URL", "postgres://user@127.0.0.1:5432/saga_reservation")
	}
	if s.AMQPURL != "" {
		broker = app.CheckBroker("AMQP_URL", s.AMQPURL)
	}
	if s.Service != "" {
		if err := sagasql.CheckServiceName(s.Service); err != nil {
			service = fmt.Errorf("SERVICE: %w", err)
		}
	}
	if s.BatchSize < 1 || s.BatchSize > maxBatchSize {
		batch = fmt.Errorf("BATCH_SIZE is %d, want 1 to %d", s.BatchSize, maxBatchSize)
	}
	if s.Retention != 0 && s.Retention < minRetention {
		retention = fmt.Errorf("ORCHESTRATOR_RETENTION is %s, want at least %s, or 0 to keep finished sagas for ever", s.Retention, minRetention)
	}
	return errors.Join(database, broker, service, batch, retention, s.QuarantineSettings.Validate(), s.validateAdmin())
}

// rights are what the daemon needs with these settings.
func (s *Settings) rights() []sagasql.Right {
	rights := sagapg.RightsToDrive
	if s.Retention > 0 {
		rights = slices.Concat(rights, sagapg.RightsToExpire)
	}
	if s.AdminAddress != "" {
		rights = slices.Concat(rights, sagapg.RightsToLook)
	}
	return rights
}

// RequireService is nil if the service's name is set.
func (s *Settings) RequireService() error {
	if s.Service == "" {
		return config.Required("the name of the service that the sagas belong to", "SERVICE", "reservation")
	}
	return nil
}

// RequireBroker is nil if the broker's address is set.
func (s *Settings) RequireBroker() error {
	if s.AMQPURL == "" {
		return config.Required("the broker", "AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
	}
	return nil
}
