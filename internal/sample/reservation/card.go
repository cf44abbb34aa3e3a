package reservation

import (
	"errors"
	"regexp"

	"github.com/google/uuid"
)

// CardPattern is what a card number may look like: 12 to 19 digits (ISO/IEC
// 7812-1), or a masked number, 8 to 15 asterisks and the last four digits.
const CardPattern = `^([0-9]{12,19}|\*{8,15}[0-9]{4})$`

var cardPattern = regexp.MustCompile(CardPattern)

// errCardNumber does not say what was given instead.
var errCardNumber = errors.New("a card number has 12 to 19 digits, or is masked: 8 to 15 asterisks and the last four digits")

// CardNumber is what is kept of a card number: its last four digits. The type
// has no room for the number itself, so no log, error or dump can show it.
type CardNumber struct{ lastFour string }

// ParseCardNumber reduces a card number. The error does not quote it.
func ParseCardNumber(s string) (CardNumber, error) {
	if !cardPattern.MatchString(s) {
		return CardNumber{}, errCardNumber
	}
	return CardNumber{lastFour: s[len(s)-4:]}, nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]. The error does not quote
// the text.
func (c *CardNumber) UnmarshalText(text []byte) error {
	parsed, err := ParseCardNumber(string(text))
	if err == nil {
		*c = parsed
	}
	return err
}

// LastFour is the last four digits.
func (c CardNumber) LastFour() string { return c.lastFour }

// newToken draws what stands for a card from here on.
func newToken() string { return "tok_" + uuid.NewString() }
