package jsonmap

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Storable says whether PostgreSQL can hold a text, in a column or as a parameter: it is
// UTF-8, and no character is U+0000. What comes from outside has to be asked before it goes
// into a statement.
func Storable(text string) bool { return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 }

// str reads a string and returns it decoded, as a part of the text where it is one.
func (s *scanner) str() ([]byte, error) {
	s.at++ // the opening quote
	s.size += 2
	start := s.at
	var decoded []byte // nil until the first escape
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			plain := s.text[start:s.at]
			s.at++
			if decoded == nil {
				return plain, nil
			}
			return append(decoded, plain...), nil
		case c == '\\':
			decoded = append(decoded, s.text[start:s.at]...)
			r, err := s.escape()
			if err != nil {
				return nil, err
			}
			decoded = utf8.AppendRune(decoded, r)
			s.size += storedRune(r)
			start = s.at
		case c < ' ':
			return nil, s.fail(s.at, "a control character in a string has to be escaped")
		case c < utf8.RuneSelf:
			s.at++
			s.size++
		default:
			r, width := utf8.DecodeRune(s.text[s.at:])
			if r == utf8.RuneError && width == 1 {
				return nil, s.fail(s.at, invalidUTF8)
			}
			s.at += width
			s.size += width
		}
	}
	return nil, s.fail(s.at, "the text ends inside a string")
}

const (
	invalidUTF8   = "invalid UTF-8"
	zeroCharacter = "the character U+0000, which PostgreSQL cannot store"
)

var shortEscapes = map[byte]rune{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape reads one escape sequence, a pair of surrogates being one.
func (s *scanner) escape() (rune, error) {
	start := s.at
	if s.at+1 < len(s.text) && s.text[s.at+1] != 'u' {
		r, known := shortEscapes[s.text[s.at+1]]
		if !known {
			return 0, s.fail(start, "unknown escape sequence")
		}
		s.at += 2
		return r, nil
	}
	r, ok := s.unicodeEscape()
	if !ok {
		return 0, s.fail(start, "\\u wants four hexadecimal digits")
	}
	if r == 0 {
		return 0, s.fail(start, zeroCharacter)
	}
	if utf16.IsSurrogate(r) {
		low, _ := s.unicodeEscape()
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return 0, s.fail(start, "a surrogate without its other half")
		}
	}
	return r, nil
}

func (s *scanner) unicodeEscape() (rune, bool) {
	const length = len(`\uFFFF`)
	if s.at+length > len(s.text) || s.text[s.at] != '\\' || s.text[s.at+1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(s.text[s.at+2:s.at+length]), 16, 16)
	if err != nil {
		return 0, false
	}
	s.at += length
	return rune(unit), true
}

// storedRune is how many bytes PostgreSQL prints for a character that came escaped.
func storedRune(r rune) int {
	switch {
	case r == '"' || r == '\\' || r == '\b' || r == '\f' || r == '\n' || r == '\r' || r == '\t':
		return 2
	case r < ' ':
		return 6
	}
	return utf8.RuneLen(r)
}
