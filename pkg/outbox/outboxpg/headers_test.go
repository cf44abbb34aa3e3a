package outboxpg

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzHeaders holds the short way against the long one: where both read a text, they
// read the same. The database lets in valid JSON alone.
func FuzzHeaders(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"a":"b"}`, `{"a": "b", "c":"ü,}"}`, `{"a":"\"}"}`, ` {"a":"b"}`, `{"a":"b" }`, `{"a" :"b"}`, `{"a":"b","a":"c"}`, `{"":""}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want map[string]string
		if !json.Valid([]byte(text)) || json.Unmarshal([]byte(text), &want) != nil || want == nil {
			return
		}
		got, err := parseHeaders([]byte(text))
		require.NoError(t, err)
		if written, _ := json.Marshal(want); string(written) != "{}" {
			require.Equal(t, toValid(want), toValid(got))
		}
	})
}

// toValid replaces what is not UTF-8, as encoding/json does; the database has none.
func toValid(m map[string]string) map[string]string {
	valid := make(map[string]string, len(m))
	for k, v := range m {
		valid[string([]rune(k))] = string([]rune(v))
	}
	return valid
}

func TestPlainHeadersAreReadTheShortWay(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"a":"b"}`, `{"a": "b", "c": "d"}`, `{"a":"b","c":"ü,}"}`} {
		_, plain := plainHeaders([]byte(text))
		require.True(t, plain, text)
	}
}
