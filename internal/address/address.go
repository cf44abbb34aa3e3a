// Package address reads the addresses of databases and brokers, for all programs and for
// the library. It is the only place that does.
//
// The client libraries accept nearly everything: with an unescaped "@", "/" or "?" in a
// password they take a piece of it for the host or the database, dial that, and show it.
// So an address passes only if it can be read in one way, and if that is how the
// client library reads it too. Everything else is [ErrRefused].
//
// Host, port and database (or virtual host) of an address that passed may be shown.
// Nothing else of it may, and nothing at all of one that was refused: [Scrub].
package address

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrRefused is any address that cannot be read without doubt. Its text holds nothing of
// the address. To try again is of no use before the setting has changed.
var ErrRefused = errors.New("the address is refused")

// encode is the remedy for most of what is refused.
const encode = `percent-encode special characters: @ is %40, / is %2F, # is %23, ? is %3F, : is %3A, % is %25, , is %2C, ` +
	`" is %22, ' is %27, \ is %5C, a space is %20`

func refuse(reason, remedy string) error { return fmt.Errorf("%w: %s; %s", ErrRefused, reason, remedy) }

// urlParts are the pieces of a URL that holds nothing in doubt, as they are written.
type urlParts struct {
	scheme, login, hosts, path, query string
	hasLogin                          bool
}

// cutURL takes a URL apart. One "@" at most may stand in it, before the first "/" or "?".
func cutURL(text string) (urlParts, error) {
	if strings.ContainsFunc(text, notInURL) || !utf8.ValidString(text) {
		return urlParts{}, refuse(`a space, a quote, a backslash or another character stands in it that no URL has`, encode)
	}
	if strings.Contains(text, "#") {
		return urlParts{}, refuse(`"#" would begin a fragment, which no address has`, encode)
	}
	if badEscape.MatchString(text) {
		return urlParts{}, refuse(`"%" stands in it without two hexadecimal digits behind it`, encode)
	}
	var u urlParts
	var rest string
	u.scheme, rest, _ = strings.Cut(text, "://")
	rest, u.query, _ = strings.Cut(rest, "?")
	u.hosts, u.path, _ = strings.Cut(rest, "/")
	if login, hosts, ok := strings.Cut(u.hosts, "@"); ok {
		u.login, u.hosts, u.hasLogin = login, hosts, true
	}
	if strings.Contains(u.hosts, "@") || strings.Contains(u.path, "@") || strings.Contains(u.query, "@") {
		return urlParts{}, refuse(`"@" may stand in it once, between the password and the host`, encode)
	}
	return u, nil
}

var badEscape = regexp.MustCompile(`%(?:[^0-9A-Fa-f]|.[^0-9A-Fa-f]|.?$)`)

// notInURL are the characters that have to be percent-encoded wherever they stand.
func notInURL(r rune) bool {
	return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune("\"<>\\^`{|}", r)
}

// plainHost says that the text is nothing but a name, an IP address or the folder of a
// socket.
func plainHost(host string) bool {
	if strings.Contains(host, ":") {
		ip, err := netip.ParseAddr(host)
		return err == nil && ip.Is6()
	}
	if strings.HasPrefix(host, "/") {
		return len(host) < 100 && plainFolder.MatchString(host)
	}
	return len(host) <= 253 && hostName.MatchString(host)
}

var (
	plainFolder = regexp.MustCompile(`^(/[A-Za-z0-9_.+~-]*)+$`)
	hostName    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*\.?$`)
)

// plainName says that the text can only be a name, with others as extra characters.
func plainName(name, others string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-.$~+"+others, r)
	})
}

// plainSecret says that what was decoded is what somebody typed: an escape that only looks
// like one mostly makes a control character or half a letter.
func plainSecret(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
