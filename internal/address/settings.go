package address

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// settings are what the text of an address says, under libpq's keywords. pgx has the last
// word on all of them; this tells whether it said something at all, and only once.
type settings map[string]string

func isURL(text string) bool {
	return strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
}

// readSettings reads both forms and refuses what is in doubt.
func readSettings(text string) (settings, error) {
	if isURL(text) {
		return readURL(text)
	}
	if scheme.MatchString(text) {
		return nil, refuse("it does not begin with postgres://, and holds the beginning of a URL", databaseForm)
	}
	return readKeywords(text)
}

var scheme = regexp.MustCompile(`[A-Za-z]://`)

func readURL(text string) (settings, error) {
	u, err := cutURL(text)
	if err != nil {
		return nil, err
	}
	for _, inner := range bracketed.FindAllStringSubmatch(u.hosts, -1) {
		if !strings.Contains(inner[1], ":") {
			return nil, refuse("brackets stand around what is no IPv6 address", encode)
		}
	}
	said := settings{}
	user, password, _ := strings.Cut(u.login, ":")
	said["user"], said["password"], said["dbname"] = decoded(user), decoded(password), decoded(u.path)
	if password != said["password"] {
		remember(password) // as it is written
	}
	if u.query == "" {
		return said, nil
	}
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(u.query, "&") {
		key, value, ok := strings.Cut(pair, "=")
		if err := judgeKey(key, ok, seen); err != nil {
			return nil, err
		}
		if key == "ssl" {
			key, value = "sslmode", map[string]string{"true": "require"}[value]
			if value == "" || seen[key] {
				return nil, refuse("ssl may only be true, and not beside sslmode", "say sslmode=require or sslmode=disable")
			}
		}
		said[keyword(key)] = decoded(value)
	}
	return said, nil
}

var bracketed = regexp.MustCompile(`\[([^\]]*)\]?`)

// keyword is libpq's word where pgx has two.
func keyword(key string) string {
	if key == "database" {
		return "dbname"
	}
	return key
}

// readKeywords reads `keyword=value keyword='other value'`, with a backslash before what
// would end a value.
func readKeywords(text string) (settings, error) {
	said, seen := settings{}, map[string]bool{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeft(text, blanks) {
		key, rest, ok := strings.Cut(text, "=")
		key = strings.TrimRight(key, blanks)
		if err := judgeKey(key, ok, seen); err != nil {
			return nil, err
		}
		said[keyword(key)], text, ok = value(strings.TrimLeft(rest, blanks))
		if !ok {
			return nil, refuse("a value has a quote or a backslash in doubt", quoteValues)
		}
	}
	return said, nil
}

const quoteValues = `put a password with spaces or quotes into '…', and write \' and \\ for quote and backslash in it`

const blanks = " \t\n\r\v\f"

// value reads one value and returns what is behind it.
func value(text string) (value, rest string, ok bool) {
	quoted := strings.HasPrefix(text, "'")
	if quoted {
		text = text[1:]
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			if i++; i == len(text) || !strings.ContainsRune(blanks+`\'`, rune(text[i])) {
				return "", "", false // a backslash that somebody forgot to double
			}
			out.WriteByte(text[i])
		case quoted && c == '\'':
			rest = text[i+1:]
			return out.String(), rest, rest == "" || strings.ContainsRune(blanks, rune(rest[0]))
		case !quoted && strings.ContainsRune(blanks, rune(c)):
			return out.String(), text[i:], true
		case !quoted && strings.ContainsRune(`'"`, rune(c)):
			return "", "", false
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), "", !quoted
}

// keywords are the settings in that form, with another at the end. An empty value in what
// somebody wrote would take the next setting for itself.
func (s settings) keywords(last string) string {
	var out strings.Builder
	for key, value := range s {
		fmt.Fprintf(&out, "%s='%s' ", key, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value))
	}
	return out.String() + last
}

// judgeKey refuses what is no setting's name: a piece of a password, most likely, which
// would be sent to the server and come back in its error.
func judgeKey(key string, hasValue bool, seen map[string]bool) error {
	if key == schemaKey && hasValue {
		return refuse("only an entry of DATABASE_URLS may name a schema, in a URL", "say DATABASE_SCHEMA in its place")
	}
	if !hasValue || !settingName.MatchString(key) || !slices.Contains(shortNames, key) && !strings.ContainsAny(key, "_.") {
		return refuse("something in it is no known setting", databaseForm+"; "+encode+"; in the form of keywords, "+quoteValues)
	}
	if seen[keyword(key)] {
		return refuse("a setting stands in it twice", "write several databases as URLs, separated by white space")
	}
	seen[keyword(key)] = true
	return nil
}

var settingName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.]*$`)

// shortNames are the settings of the client and of the server whose names have neither
// "_" nor ".". All others of the server have one.
var shortNames = []string{
	"host", "port", "dbname", "database", "user", "password", "passfile", "service", "servicefile", "options",
	"ssl", "sslmode", "sslcert", "sslcertmode", "sslkey", "sslrootcert", "sslpassword", "sslsni", "sslnegotiation",
	"krbspn", "krbsrvname", "timezone", "TimeZone", "datestyle", "DateStyle", "intervalstyle", "IntervalStyle", "role", "jit", "geqo",
}
