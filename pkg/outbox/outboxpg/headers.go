package outboxpg

import (
	"bytes"
	"encoding/json"
)

// parseHeaders reads a JSON object of strings. Nearly all are written without an escape
// and without white space but behind colons and commas: such are read here, at a fraction
// of what the general way costs, and all others by that.
func parseHeaders(text []byte) (map[string]string, error) {
	if headers, ok := plainHeaders(text); ok {
		return headers, nil
	}
	var headers map[string]string
	err := json.Unmarshal(text, &headers)
	return headers, err
}

func plainHeaders(text []byte) (map[string]string, bool) {
	text, ok := bytes.CutPrefix(text, []byte("{"))
	if !ok || bytes.IndexByte(text, '\\') >= 0 {
		return nil, false
	}
	headers := make(map[string]string, 12)
	for {
		name, rest, ok := plainString(text)
		if !ok || len(rest) == 0 || rest[0] != ':' {
			return nil, false
		}
		value, rest, ok := plainString(bytes.TrimPrefix(rest[1:], []byte(" ")))
		if !ok || len(rest) == 0 {
			return nil, false
		}
		headers[name] = value
		switch {
		case string(rest) == "}":
			return headers, true
		case rest[0] != ',':
			return nil, false
		}
		text = bytes.TrimPrefix(rest[1:], []byte(" "))
	}
}

// plainString takes a string in quotes off the front of a text without escapes.
func plainString(text []byte) (value string, rest []byte, ok bool) {
	if len(text) == 0 || text[0] != '"' {
		return "", nil, false
	}
	end := bytes.IndexByte(text[1:], '"') + 1
	if end == 0 {
		return "", nil, false
	}
	return string(text[1:end]), text[end+1:], true
}
