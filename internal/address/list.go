package address

import (
	"fmt"
	"regexp"
	"strings"
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

// Databases cuts a list and judges each of its addresses.
func Databases(text string) ([]string, error) {
	texts := SplitDatabases(text)
	for i, one := range texts {
		if _, err := ParseDatabase(one); err != nil {
			return nil, fmt.Errorf("entry %d of %d: %w", i+1, len(texts), err)
		}
	}
	return texts, nil
}

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
