// Package redact hides the values in a JSON text whose names say that they are secrets
// or card data, for what people and logs get to see.
package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Hidden stands where a value was.
const Hidden = "[redacted]"

// parts are what a name is suspicious for wherever in it they stand, without regard to
// case and separators. Better one harmless value is hidden than one card number shown.
var parts = []string{
	"token", "password", "passwd", "passphrase", "secret", "credential", "apikey", "accesskey", "privatekey",
	"authorization", "card", "cvv", "cvc", "iban", "accountnumber", "ssn",
}

// words are too short to be looked for inside other words: company is no pan.
var words = []string{"pan", "pin", "pwd", "otp", "jwt", "bic"}

// JSON returns the text with every value hidden that stands under such a name, at any
// depth. Numbers stay as they are written.
func JSON(text []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(redacted(value)); err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

func redacted(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if member != nil && Suspicious(name) {
				v[name] = Hidden
				continue
			}
			v[name] = redacted(member)
		}
	case []any:
		for i, element := range v {
			v[i] = redacted(element)
		}
	}
	return value
}

// Suspicious says that what stands under the name is not to be shown.
func Suspicious(name string) bool {
	split := strings.ToLower(boundary.ReplaceAllString(name, "$1 $2"))
	found := strings.FieldsFunc(split, func(r rune) bool { return !letterOrDigit(r) })
	if slices.ContainsFunc(words, func(word string) bool { return slices.Contains(found, word) }) {
		return true
	}
	joined := strings.Join(found, "")
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(joined, part) })
}

// boundary is where a word ends in camel case.
var boundary = regexp.MustCompile(`([a-z0-9])([A-Z])`)

func letterOrDigit(r rune) bool { return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r > 127 }
