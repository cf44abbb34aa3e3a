package jsonmap

import "strings"

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
	if err := s.document(); err != nil {
		return 0, err
	}
	return s.size, nil
}

// scanner reads a JSON text once, from the left.
type scanner struct {
	text []byte
	at   int
	path path
	size int
}

func (s *scanner) fail(offset int, reason string) error {
	return &Error{Pointer: s.path.pointer(), Offset: offset, Reason: reason}
}

func (s *scanner) document() error {
	if err := s.value(); err != nil {
		return err
	}
	if s.skipSpace(); s.at < len(s.text) {
		return s.fail(s.at, "something follows the JSON value")
	}
	return nil
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

func (s *scanner) value() error {
	switch c := s.next(); {
	case c == '{':
		return s.container('}', s.members)
	case c == '[':
		return s.container(']', s.elements)
	case c == '"':
		_, err := s.str()
		return err
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	case s.at == len(s.text):
		return s.fail(s.at, "the text ends where a value is due")
	default:
		return s.literal()
	}
}

func (s *scanner) literal() error {
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(string(s.text[s.at:min(s.at+len(word), len(s.text))]), word) {
			s.at += len(word)
			s.size += len(word)
			return nil
		}
	}
	return s.fail(s.at, "not a JSON value")
}

func (s *scanner) number() error {
	start := s.at
	for s.at < len(s.text) && strings.IndexByte("+-.0123456789eE", s.text[s.at]) >= 0 {
		s.at++
	}
	d, reason := parseNumber(string(s.text[start:s.at]))
	if reason != "" {
		return s.fail(start, reason)
	}
	s.size += d.storedSize()
	return nil
}

// container reads an array or an object from its opening bracket to its closing one.
func (s *scanner) container(closing byte, content func(closing byte) error) error {
	if len(s.path) >= MaxDepth {
		return s.fail(s.at, tooDeep)
	}
	s.at++
	s.size += 2
	if s.next() == closing {
		s.at++
		return nil
	}
	return content(closing)
}

const tooDeep = "more than 512 levels of arrays and objects"

func (s *scanner) elements(closing byte) error {
	outer := s.path
	for index := 0; ; index++ {
		s.path = outer.element(index)
		if err := s.value(); err != nil {
			return err
		}
		s.path = outer
		if done, err := s.separator(closing); done || err != nil {
			return err
		}
	}
}

func (s *scanner) members(closing byte) error {
	outer := s.path
	seen := make(map[string]struct{})
	for {
		if s.next() != '"' {
			return s.fail(s.at, "a name in double quotes is due")
		}
		start := s.at
		name, err := s.str()
		if err != nil {
			return err
		}
		s.path = outer.member(name)
		if _, twice := seen[name]; twice {
			return s.fail(start, "the name occurs twice in its object")
		}
		seen[name] = struct{}{}
		if s.next() != ':' {
			return s.fail(s.at, "a colon is due after the name")
		}
		s.at++
		s.size += len(": ")
		if err := s.value(); err != nil {
			return err
		}
		s.path = outer
		if done, err := s.separator(closing); done || err != nil {
			return err
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
