package sagayaml

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// A text is written so that the same is read again. The library writes those as they
// are that look like words, and quotes what YAML would take for something else; it is
// not to be trusted with the rest.
var wordlike = regexp.MustCompile(`^[A-Za-z/]`)

// spell writes a text of one line.
func spell(text string) any {
	if wordlike.MatchString(text) && printable(text) {
		return text
	}
	return quoted(text)
}

// spellLines writes a text that may have several lines: those that end with a line
// break each can be written as they are.
func spellLines(text string) any {
	lines, several := strings.CutSuffix(text, "\n")
	if several && wordlike.MatchString(lines) && !strings.HasSuffix(lines, "\n") && printable(strings.ReplaceAll(lines, "\n", "")) {
		return text
	}
	return spell(text)
}

func printable(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

type quoted string

// MarshalYAML implements yaml.BytesMarshaler: what Go escapes, YAML does likewise.
func (q quoted) MarshalYAML() ([]byte, error) { return []byte(strconv.Quote(string(q))), nil }
