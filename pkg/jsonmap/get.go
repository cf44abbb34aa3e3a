package jsonmap

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

var (
	unescapeToken = strings.NewReplacer("~1", "/", "~0", "~")
	knownEscapes  = strings.NewReplacer("~1", "", "~0", "")
)

// Get returns the value that an RFC 6901 pointer leads to; the empty pointer leads to
// the map itself. It reports false where there is no such value, and for text that is
// no pointer.
func (m JSONMap) Get(pointer string) (any, bool) {
	if pointer == "" {
		return m, true
	}
	if pointer[0] != '/' {
		return nil, false
	}
	var here any = m
	for token := range strings.SplitSeq(pointer[1:], "/") {
		var found bool
		if here, found = child(here, token); !found {
			return nil, false
		}
	}
	return here, true
}

func child(parent any, token string) (any, bool) {
	switch parent := parent.(type) {
	case JSONMap:
		return member(parent, token)
	case map[string]any:
		return member(parent, token)
	case []any:
		// RFC 6901: no leading zeros, no sign.
		index, err := strconv.ParseUint(token, 10, 31)
		if err != nil || index >= uint64(len(parent)) || len(token) > 1 && token[0] == '0' {
			return nil, false
		}
		return parent[index], true
	}
	return nil, false
}

func member(parent map[string]any, token string) (any, bool) {
	if strings.Contains(knownEscapes.Replace(token), "~") {
		return nil, false
	}
	value, found := parent[unescapeToken.Replace(token)]
	return value, found
}

// GetString returns the string at a pointer; false where there is none.
func (m JSONMap) GetString(pointer string) (string, bool) {
	value, _ := m.Get(pointer)
	text, ok := value.(string)
	return text, ok
}

// GetInt64 returns the whole number at a pointer; false where there is none, or where
// an int64 cannot hold it exactly. A number written with a fraction or an exponent, such
// as 1.0, is not a whole number here.
func (m JSONMap) GetInt64(pointer string) (int64, bool) {
	value, _ := m.Get(pointer)
	if number, ok := value.(json.Number); ok {
		whole, err := strconv.ParseInt(string(number), 10, 64)
		return whole, err == nil
	}
	if v := reflect.ValueOf(value); v.IsValid() && v.CanInt() {
		return v.Int(), true
	}
	return 0, false
}
