package address

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	databaseBegins = regexp.MustCompile(`(?i)[\s,]+(?:postgres|postgresql)://`)
	brokerBegins   = regexp.MustCompile(`(?i)[\s,]+amqps?://`)
	blankOrComma   = " \t\r\n\v\f,"
)

// SplitDatabases cuts a list of databases, which are separated by white space or commas,
// where another URL begins: both may stand inside of an address. An address in keywords
// (host=… dbname=…) is one database, and the only one of its list. It does not judge the
// addresses.
func SplitDatabases(text string) []string {
	if text = strings.Trim(text, blankOrComma); text != "" && !isURL(text) {
		return []string{text}
	}
	return split(text, databaseBegins)
}

// Entry is one of a list of databases.
type Entry struct {
	// URL is the address of the database, without the list's own parameter.
	URL string
	// Schema is what that parameter names, as in postgres://host/database?schema=hotel; empty
	// where there is none. Whether it can be a schema's name is not judged here.
	Schema string
	// Config is what the URL stands for.
	Config *pgxpool.Config
}

// Databases cuts a list and judges each of its addresses.
func Databases(text string) ([]Entry, error) {
	texts := SplitDatabases(text)
	entries := make([]Entry, len(texts))
	for i, one := range texts {
		var err error
		if entries[i], err = parseEntry(one); err != nil {
			return nil, fmt.Errorf("entry %d of %d: %w", i+1, len(texts), err)
		}
	}
	return entries, nil
}

// schemaKey is the list's own parameter. It is taken out before the address goes on: the
// server has no such setting, and search_path, which it has, is refused by poolers.
const schemaKey = "schema"

func parseEntry(text string) (e Entry, err error) {
	if e.URL, e.Schema, err = cutSchema(text); err == nil {
		e.Config, err = ParseDatabase(e.URL)
	}
	return e, err
}

// cutSchema takes the schema out of a URL's parameters.
func cutSchema(text string) (rest, schema string, err error) {
	if !isURL(text) {
		return text, "", nil // it is the only one of its list
	}
	u, err := cutURL(text)
	if err != nil || u.query == "" {
		return text, "", err
	}
	var others []string
	for pair := range strings.SplitSeq(u.query, "&") {
		value, is := strings.CutPrefix(pair, schemaKey+"=")
		switch {
		case !is:
			others = append(others, pair)
		case schema != "" || value == "":
			return "", "", refuse("it has to name one schema, or none", "want "+schemaForm)
		default:
			schema = decoded(value)
		}
	}
	rest = strings.TrimSuffix(text, "?"+u.query)
	if len(others) > 0 {
		rest += "?" + strings.Join(others, "&")
	}
	return rest, schema, nil
}

const schemaForm = "postgres://user:password@host:5432/database?schema=name"

func split(text string, begins *regexp.Regexp) []string {
	text = strings.Trim(text, blankOrComma)
	var texts []string
	for from := 0; from < len(text); {
		to := len(text)
		if next := begins.FindStringIndex(text[from:]); next != nil {
			to = from + next[0]
		}
		texts = append(texts, text[from:to])
		from = to + len(text[to:]) - len(strings.TrimLeft(text[to:], blankOrComma))
	}
	return texts
}
