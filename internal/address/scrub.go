package address

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

const (
	// hidden stands where a secret was.
	hidden = "***"
	// shortest is the length in bytes below which a secret is left in texts: nearly every
	// text holds it by chance.
	shortest = 4
	// sure is the length from which on a secret is one wherever it stands. A shorter one
	// has to stand alone, like a word.
	sure = 8
	// maxSecrets bounds what is remembered, where passwords change by the hour.
	maxSecrets = 200
)

var secrets struct {
	sync.RWMutex
	known []string // oldest first
}

// remember has [Scrub] hide a password, in all the ways in which it is written. What is
// shown elsewhere, as guest of guest:guest is, is no secret.
func remember(secret string, shown ...string) {
	if len(secret) < shortest || slices.Contains(shown, secret) {
		return
	}
	quoted, _ := json.Marshal(secret) // a string has no error
	forms := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:],
		string(quoted[1 : len(quoted)-1]),
	}
	secrets.Lock()
	defer secrets.Unlock()
	for _, form := range forms {
		if !slices.Contains(secrets.known, form) {
			secrets.known = append(secrets.known, form)
		}
	}
	secrets.known = slices.Delete(secrets.known, 0, max(0, len(secrets.known)-maxSecrets))
}

// connectUser is where pgx puts the user's name into its errors.
var connectUser = regexp.MustCompile("`user=.*? database=")

// Scrub takes the passwords of all addresses that this process has read out of a text,
// which the other side may have written. It may be called from many goroutines.
func Scrub(text string) string {
	text = connectUser.ReplaceAllLiteralString(text, "`database=")
	secrets.RLock()
	defer secrets.RUnlock()
	for _, secret := range secrets.known {
		if strings.Contains(text, secret) {
			text = hide(text, secret)
		}
	}
	return text
}

func hide(text, secret string) string {
	if len(secret) >= sure {
		return strings.ReplaceAll(text, secret, hidden)
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, secret)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		left, _ := utf8.DecodeLastRuneInString(before)
		right, _ := utf8.DecodeRuneInString(after)
		if partOfWord(left) || partOfWord(right) {
			out.WriteString(secret)
		} else {
			out.WriteString(hidden)
		}
		text = after
	}
}

func partOfWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }

// ScrubError is err with a text that [Scrub] went through. It is nil for nil, and what err
// is stays.
func ScrubError(err error) error {
	if err == nil {
		return nil
	}
	if text := err.Error(); Scrub(text) != text {
		return scrubbed{err}
	}
	return err
}

type scrubbed struct{ error }

func (e scrubbed) Error() string { return Scrub(e.error.Error()) }
func (e scrubbed) Unwrap() error { return e.error }
