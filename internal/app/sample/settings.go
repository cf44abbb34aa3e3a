package sample

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.example/saga/internal/app"
	"go.example/saga/internal/config"
	"go.example/saga/pkg/participant"
	sagasql "go.example/saga/sql"
)

// Settings are those of every daemon of the sample.
type Settings struct {
	// Service is the name under which sagas know the service.
	Service string `env:"SERVICE"`
	config.Database
	// DatabaseSchema holds the tables; empty means public.
	DatabaseSchema string `env:"DATABASE_SCHEMA"`
	config.Broker
	app.QuarantineSettings
	// Choreography has the service work without an orchestrator, too: it hears facts of the
	// others. The reservation service then places reservations in that way alone.
	Choreography bool `env:"CHOREOGRAPHY"`
	// HealthAddr serves /livez and /readyz; empty serves neither.
	HealthAddr string `env:"HEALTH_ADDR"`
	LogLevel   string `env:"LOG_LEVEL"`
	LogFormat  string `env:"LOG_FORMAT"`
}

// Validate implements [config.Validator].
func (s *Settings) Validate() error {
	service := sagasql.CheckServiceName(s.Service)
	if service != nil {
		service = fmt.Errorf("SERVICE: %w", service)
	}
	return errors.Join(service, s.CheckDatabase(), app.CheckSchema(s.DatabaseSchema), app.CheckBroker(s.Broker), s.QuarantineSettings.Validate())
}

// ParticipantSettings are those of a daemon that carries out commands.
type ParticipantSettings struct {
	Settings
	// Workers is how many transactions run side by side.
	Workers int `env:"HANDLER_WORKERS"`
	// Budget bounds the work of one transaction.
	Budget time.Duration `env:"HANDLER_BUDGET"`
	// Remember is for how long a saga is remembered in the barrier; 0 is for ever.
	Remember time.Duration `env:"BARRIER_REMEMBER"`
	// Limit bounds the handler for one command.
	Limit time.Duration `env:"HANDLER_LIMIT"`
	// ListenAddr serves the HTTP interface; empty serves none.
	ListenAddr string `env:"LISTEN_ADDR"`
}

// maxWorkers have a connection each; a database has a hundred.
const maxWorkers = 64

// DefaultSettings are those of a service with its usual name.
func DefaultSettings(service string) Settings {
	return Settings{Service: service, QuarantineSettings: app.DefaultQuarantineSettings()}
}

// DefaultParticipantSettings are those of the library.
func DefaultParticipantSettings(service string) ParticipantSettings {
	return ParticipantSettings{
		Settings: DefaultSettings(service),
		Workers:  participant.DefaultWorkers, Budget: participant.DefaultBudget, Limit: participant.DefaultLimit,
		Remember: participant.DefaultRemember,
	}
}

// Validate implements [config.Validator].
func (s *ParticipantSettings) Validate() error {
	errs := []error{s.Settings.Validate()}
	if s.Workers < 1 || s.Workers > maxWorkers {
		errs = append(errs, fmt.Errorf("HANDLER_WORKERS is %d, want 1 to %d", s.Workers, maxWorkers))
	}
	errs = append(errs, app.CheckKept("BARRIER_REMEMBER", s.Remember, participant.MinRemember))
	if s.Budget <= 0 {
		errs = append(errs, fmt.Errorf("HANDLER_BUDGET is %s, want more than 0, as 500ms", s.Budget))
	}
	if s.Limit <= 0 {
		errs = append(errs, fmt.Errorf("HANDLER_LIMIT is %s, want more than 0, as 30s", s.Limit))
	}
	return errors.Join(errs...)
}

// ReservationSettings are those of the reservation service.
type ReservationSettings struct {
	Settings
	// Patience is for how long an event fails alone before it is set aside.
	Patience time.Duration `env:"EVENT_PATIENCE"`
	// ListenAddr serves the HTTP interface.
	ListenAddr string `env:"LISTEN_ADDR"`
	// MaxRunning is how many sagas may run before new reservations are refused; 0
	// bounds nothing.
	MaxRunning int `env:"RESERVATION_MAX_RUNNING"`
	// HotelURL and PaymentURL are the HTTP interfaces of these services, for the parts of an
	// answer that they have; empty offers no such part.
	HotelURL   string `env:"HOTEL_URL"`
	PaymentURL string `env:"PAYMENT_URL"`
	// PartsWithin is how long all parts of an answer have together.
	PartsWithin time.Duration `env:"PARTS_WITHIN"`
}

// maxPartsWithin leaves time to write the answer, see [httpapi.Serve].
const maxPartsWithin = 20 * time.Second

// maxRunning is a bound that can be counted along an index several times a second.
const maxRunning = 1_000_000

// DefaultReservationSettings listen on this machine only.
func DefaultReservationSettings() ReservationSettings {
	return ReservationSettings{
		Settings: DefaultSettings("reservation"), Patience: time.Minute, ListenAddr: "127.0.0.1:8080", MaxRunning: 10_000,
		PartsWithin: 2 * time.Second,
	}
}

// Validate implements [config.Validator].
func (s *ReservationSettings) Validate() error {
	var listen, running error
	if s.ListenAddr == "" {
		listen = config.Required("the address of the HTTP interface", "LISTEN_ADDR", "127.0.0.1:8080")
	}
	if s.MaxRunning < 0 || s.MaxRunning > maxRunning {
		running = fmt.Errorf("RESERVATION_MAX_RUNNING is %d, want 0 (no bound) to %d", s.MaxRunning, maxRunning)
	}
	var patience error
	if s.Patience < 0 {
		patience = fmt.Errorf("EVENT_PATIENCE is %s, want more than 0, as 1m", s.Patience)
	}
	var parts error
	if s.PartsWithin <= 0 || s.PartsWithin > maxPartsWithin {
		parts = fmt.Errorf("PARTS_WITHIN is %s, want more than 0 and at most %s, as 2s", s.PartsWithin, maxPartsWithin)
	}
	return errors.Join(s.Settings.Validate(), patience, listen, running, parts,
		checkBase("HOTEL_URL", s.HotelURL), checkBase("PAYMENT_URL", s.PaymentURL))
}

// checkBase is nil for the URL of a service, to which paths are added. The error does not
// repeat it: there may be a password inside.
func checkBase(variable, text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(text, "?#") {
		return fmt.Errorf("%s is no URL of a service: want http://host:port or https://host:port, without user, query or fragment", variable)
	}
	return nil
}
