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
	config.Database
	// DatabaseSchema holds the tables; empty means public.
	DatabaseSchema string `env:"DATABASE_SCHEMA"`
	// Broker is needed by run only.
	config.Broker
	// Service is the name of the service that the sagas belong to. It is given to the tables
	// when they are migrated, and run does not begin on those of another one. Where it is
	// empty, the tables say it.
	Service string `env:"SERVICE"`
	// BatchSize bounds the replies, and the timers, of one transaction.
	BatchSize int `env:"BATCH_SIZE"`
	// Retention is how long a saga is kept after its end; 0 keeps it for ever.
	Retention time.Duration `env:"ORCHESTRATOR_RETENTION"`
	// WatchDefinitions are files with choreographies, white space between them. Run watches
	// these; without any it watches none.
	WatchDefinitions string `env:"WATCH_DEFINITIONS"`
	app.QuarantineSettings
	// HealthAddr serves /livez and /readyz; empty serves neither.
	HealthAddr string `env:"HEALTH_ADDR"`
	// AdminAddress serves the interface for operators; empty serves none. Beyond this
	// machine it needs a token.
	AdminAddress string        `env:"ADMIN_ADDRESS"`
	AdminToken   config.Secret `env:"ADMIN_TOKEN"`
	// AdminTokenFile holds it instead, and is read again for each request.
	AdminTokenFile string `env:"ADMIN_TOKEN_FILE"`
	LogLevel       string `env:"LOG_LEVEL"`
	LogFormat      string `env:"LOG_FORMAT"`
}

// DefaultSettings are what holds where nothing else is said.
func DefaultSettings() Settings {
	return Settings{BatchSize: 100, QuarantineSettings: app.DefaultQuarantineSettings()}
}

// Validate implements [config.Validator].
func (s *Settings) Validate() error {
	var service, batch, retention error
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
	return errors.Join(s.CheckDatabase(), app.CheckSchema(s.DatabaseSchema), app.CheckBroker(s.Broker), service, batch, retention, s.QuarantineSettings.Validate(), s.validateAdmin())
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
