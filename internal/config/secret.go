package config

import (
	"errors"
	"fmt"
	"os"
)

// Secret is a text that is printed, encoded and logged as ***.
type Secret string

const hidden = "***"

// String implements [fmt.Stringer]; it tells only whether there is something.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString implements [fmt.GoStringer].
func (s Secret) GoString() string { return s.String() }

// MarshalText implements [encoding.TextMarshaler].
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal returns the text.
func (s Secret) Reveal() string { return string(s) }

// ReadSecret is the text, or that of the file as it is now, cut as the package says. One of
// the two has to be empty; with both the result is "". The error names the variable, which
// is the text's, and holds nothing of it.
func ReadSecret(variable string, text Secret, file string) (Secret, error) {
	switch {
	case file == "":
		return text, nil
	case text != "":
		return "", fmt.Errorf("%s and %s_FILE are both set: which one holds?", variable, variable)
	}
	content, err := os.ReadFile(file) // #nosec G304 -- the operator names it
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", variable, err)
	}
	secret := Secret(clean(string(content)))
	if secret == "" {
		return "", fmt.Errorf("%s_FILE: %w: %s", variable, errEmpty, file)
	}
	return secret, nil
}

var errEmpty = errors.New("the file is empty")
