// Package config reads settings: those of a file, and over them those of the environment.
//
// A setting is a text, wherever it stands, and the same text means the same in both: numbers
// are decimal, durations are written as 1m30s. White space at its end and a byte order mark
// at its beginning are cut. An empty text says nothing, as if the setting were not there.
package config

import (
	"errors"
	"fmt"
	"os"

	"github.com/caarlos0/env/v11"

	"go.example/saga/pkg/jsonmap"
)

// Help is what the help of every program says of its settings.
const Help = `Settings come from the environment, over those of the --config file, a list in YAML of the same
names in lower case. White space at the end of one is cut, and a byte order mark; an empty one
is as if it were not set. Numbers are decimal, and durations as 1m30s.
DATABASE_URL_FILE (the relay's DATABASE_URLS_FILE) and AMQP_URL_FILE name files that hold the
address instead, and are read again for each connection, with what the address names. An address that can be read in two ways is
refused: percent-encode special characters in passwords. AMQP_URL may list several brokers, or
hosts in one, of which the first that answers is used. TLS: sslmode in the database's address,
where verify-full is the default but on this machine; amqps in the broker's, with AMQP_CA_FILE,
AMQP_CERT_FILE, AMQP_KEY_FILE where needed.`

// Validator judges settings as a whole.
type Validator interface{ Validate() error }

// Load reads settings into a pointer to a struct that holds the defaults. The tag env of its
// fields names the variable, in lower case also in the file of that path, which may be empty
// for no file. A field without one stands in the file alone, as its tag yaml. An error
// names the setting and where it stands, and holds no text of a [Secret].
func Load(path string, into Validator) error {
	settings := settingsOf(into)
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read the configuration: %w", err)
		}
		if err := settings.readFile(path, text); err != nil {
			return fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	texts := map[string]string{}
	for _, s := range settings {
		if s.variable == "" {
			continue
		}
		if text := clean(os.Getenv(s.variable)); text != "" {
			s.text, s.place = text, "the environment"
		}
		if !jsonmap.Storable(s.text) {
			return fmt.Errorf("configuration: %s is not UTF-8 text in %s", s.variable, s.place)
		}
		if s.text != "" {
			texts[s.variable] = s.text
		}
	}
	if err := env.ParseWithOptions(into, env.Options{Environment: texts}); err != nil {
		return fmt.Errorf("configuration: %w", settings.explain(err))
	}
	if err := into.Validate(); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

// explain names the settings as their users know them.
func (all settings) explain(err error) error {
	var several env.AggregateError
	if !errors.As(err, &several) {
		return err
	}
	var errs []error
	for _, one := range several.Errors {
		var bad env.ParseError
		if s := all.ofField(one, &bad); s != nil {
			one = fmt.Errorf("%s is %q in %s, want %s", s.variable, s.text, s.place, wanted(bad.Type))
		}
		errs = append(errs, one)
	}
	return errors.Join(errs...)
}

func (all settings) ofField(err error, bad *env.ParseError) *setting {
	if !errors.As(err, bad) {
		return nil
	}
	for _, s := range all {
		if s.field == bad.Name {
			return s
		}
	}
	return nil
}

// Required is the error for a setting that is missing.
func Required(field, variable, example string) error {
	return fmt.Errorf("%s is not set: set %s, for example %s", field, variable, example)
}
