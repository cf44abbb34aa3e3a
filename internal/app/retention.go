package app

import (
	"errors"
	"fmt"
	"time"

	"go.example/saga/pkg/inbox/quarantine"
)

// QuarantineSettings are how long a consumer keeps what nobody needs of the messages that it
// has set aside; 0 is for ever.
type QuarantineSettings struct {
	// KeepHandled is for what was retried or discarded.
	KeepHandled time.Duration `env:"QUARANTINE_KEEP_HANDLED"`
	// KeepDead is for what waits for somebody.
	KeepDead time.Duration `env:"QUARANTINE_KEEP_DEAD"`
}

// DefaultQuarantineSettings are those of the library.
func DefaultQuarantineSettings() QuarantineSettings {
	return QuarantineSettings{KeepHandled: quarantine.KeepHandled, KeepDead: quarantine.KeepDead}
}

// minKept leaves time to look at a message.
const minKept = time.Hour

// Validate implements [config.Validator].
func (s *QuarantineSettings) Validate() error {
	return errors.Join(CheckKept("QUARANTINE_KEEP_HANDLED", s.KeepHandled, minKept), CheckKept("QUARANTINE_KEEP_DEAD", s.KeepDead, minKept))
}

// CheckKept is nil for 0, which is for ever, and for what is no less than least.
func CheckKept(variable string, kept, least time.Duration) error {
	if kept != 0 && kept < least {
		return fmt.Errorf("%s is %s, want at least %s, or 0 to keep them for ever", variable, kept, least)
	}
	return nil
}

// Retention is what the library makes of the settings.
func (s *QuarantineSettings) Retention() quarantine.Retention {
	return quarantine.Retention{Handled: OrForEver(s.KeepHandled), Dead: OrForEver(s.KeepDead)}
}

// OrForEver is what the library takes for a setting whose 0 is for ever.
func OrForEver(kept time.Duration) time.Duration {
	if kept == 0 {
		return quarantine.ForEver
	}
	return kept
}
