package jsonmap

import (
	"encoding/json"
	"strings"
)

// Check reports whether jsonb can hold the text, any JSON value, without refusing or
// losing a part of it. The error is an [*Error].
func Check(text []byte) error {
	_, err := Size(text)
	return err
}

// Size is [Check] that also tells how long, in bytes, the text will be when PostgreSQL
// prints the jsonb: white space is made uniform and numbers lose their exponent, so
// that 1e9 has ten digits.
func Size(text []byte) (int, error) {
	s := scanner{text: text}
	if _, err := s.document(); err != nil {
		return 0, err
	}
	return s.size, nil
}

// scanner reads a JSON text once, from the left. What it returns as a value is nil
// unless it builds them.
type scanner struct {
	text  []byte
	build bool
	at    int
	path  path
	size  int
}

func (s *scanner) fail(offset int, reason string) error {
	return &Error{Pointer: s.path.pointer(), Offset: offset, Reason: reason}
}

func (s *scanner) document() (any, error) {
	v, err := s.value()
	if err != nil {
		return nil, err
	}
	if s.skipSpace(); s.at < len(s.text) {
		return nil, s.fail(s.at, "something follows the JSON value")
	}
	return v, nil
}

func (s *scanner) skipSpace() {
	for s.at < len(s.text) && strings.IndexByte(" \t\n\r", s.text[s.at]) >= 0 {
		s.at++
	}
}

// next skips white space and looks at the byte that follows; 0 at the end.
func (s *scanner) next() byte {
	if s.skipSpace(); s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) value() (any, error) {
	switch c := s.next(); {
	case c == '{':
		return s.members()
	case c == '[':
		return s.elements()
	case c == '"':
		text, err := s.str()
		if err != nil || !s.build {
			return nil, err
		}
		return string(text), nil
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	case s.at == len(s.text):
		return nil, s.fail(s.at, "the text ends where a value is due")
	default:
		return s.literal()
	}
}

var literals = []struct {
	word  string
	value any
}{{"true", true}, {"false", false}, {"null", nil}}

func (s *scanner) literal() (any, error) {
	for _, l := range literals {
		if end := s.at + len(l.word); end <= len(s.text) && string(s.text[s.at:end]) == l.word {
			s.at = end
			s.size += len(l.word)
			return l.value, nil
		}
	}
	return nil, s.fail(s.at, "not a JSON value")
}

func (s *scanner) number() (any, error) {
	start := s.at
	for s.at < len(s.text) && strings.IndexByte("+-.0123456789eE", s.text[s.at]) >= 0 {
		s.at++
	}
	text := string(s.text[start:s.at])
	d, reason := parseNumber(text)
	if reason != "" {
		return nil, s.fail(start, reason)
	}
	s.size += d.storedSize()
	if !s.build {
		return nil, nil
	}
	return json.Number(text), nil
}

// open reads the opening bracket of an array or an object, and its closing one where
// there is nothing in between.
func (s *scanner) open(closing byte) (empty bool, err error) {
	if len(s.path) >= MaxDepth {
		return false, s.fail(s.at, tooDeep)
	}
	s.at++
	s.size += 2
	if s.next() == closing {
		s.at++
		return true, nil
	}
	return false, nil
}

const tooDeep = "more than 512 levels of arrays and objects"

func (s *scanner) elements() (any, error) {
	array := []any{}
	if empty, err := s.open(']'); empty || err != nil {
		return array, err
	}
	outer := s.path
	for index := 0; ; index++ {
		s.path = outer.element(index)
		v, err := s.value()
		if err != nil {
			return nil, err
		}
		if s.build {
			array = append(array, v)
		}
		s.path = outer
		if done, err := s.separator(']'); done || err != nil {
			return array, err
		}
	}
}

// members reads an object. The names are kept also where nothing is built: none may
// occur twice.
func (s *scanner) members() (any, error) {
	object := map[string]any{}
	if empty, err := s.open('}'); empty || err != nil {
		return object, err
	}
	outer := s.path
	for {
		if s.next() != '"' {
			return nil, s.fail(s.at, "a name in double quotes is due")
		}
		start := s.at
		text, err := s.str()
		if err != nil {
			return nil, err
		}
		name := string(text)
		s.path = outer.member(name)
		if _, twice := object[name]; twice {
			return nil, s.fail(start, "the name occurs twice in its object")
		}
		if s.next() != ':' {
			return nil, s.fail(s.at, "a colon is due after the name")
		}
		s.at++
		s.size += len(": ")
		object[name], err = s.value()
		if err != nil {
			return nil, err
		}
		s.path = outer
		if done, err := s.separator('}'); done || err != nil {
			return object, err
		}
	}
}

// separator reads what follows an element: a comma, or the end.
func (s *scanner) separator(closing byte) (done bool, err error) {
	switch s.next() {
	case closing:
		s.at++
		return true, nil
	case ',':
		s.at++
		s.size += len(", ")
		return false, nil
	}
	return false, s.fail(s.at, "a comma or a closing "+string(rune(closing))+" is due")
}
