// Package config fills a daemon's settings: defaults, then a YAML file, then
// environment variables, each over the one before. Secrets come from files and
// the environment, never from the command line, where every user of the machine
// can read them.
package config

import (
	"fmt"
	"os"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"
)

// Validator is what a settings struct implements to check itself. Its error
// names the field and the bound.
type Validator interface{ Validate() error }

// Load fills into, which holds the defaults, from the YAML file at path (none if
// empty) and then from the environment, and validates it. Unknown keys in the
// file are errors.
func Load(path string, into Validator) error {
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read the configuration: %w", err)
		}
		if err := yaml.UnmarshalWithOptions(text, into, yaml.Strict()); err != nil {
			// The pretty form carries line and column, but also quotes the
			// source, which may hold a password.
			return fmt.Errorf("configuration %s: %s", path, yaml.FormatError(err, false, false))
		}
	}
	if err := env.Parse(into); err != nil {
		return fmt.Errorf("configuration from the environment: %w", err)
	}
	if err := into.Validate(); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

// Secret is a string that no log, error or dump shows.
type Secret string

const hidden = "***"

// String implements fmt.Stringer; use [Secret.Reveal] for the value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString keeps %#v from showing the value.
func (s Secret) GoString() string { return s.String() }

// MarshalText keeps encoders from showing the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the value.
func (s Secret) Reveal() string { return string(s) }

// Required is the error for a setting that has no default.
func Required(field, variable, example string) error {
	return fmt.Errorf("%s is not set: set %s, for example %s", field, variable, example)
}
