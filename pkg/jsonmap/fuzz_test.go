package jsonmap_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
)

// FuzzCheck holds Check against encoding/json, which takes more: what Check takes is
// valid there too, and survives Parse and MarshalJSON unchanged.
func FuzzCheck(f *testing.F) {
	for _, text := range accepted {
		f.Add([]byte(text))
	}
	for _, c := range append(refused, lossy...) {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		size, err := jsonmap.Size(text)
		if err != nil {
			var wrong *jsonmap.Error
			require.ErrorAs(t, err, &wrong)
			return
		}
		require.Positive(t, size)
		require.True(t, json.Valid(text))
		object := append(append([]byte(`{"v":`), text...), '}')
		if jsonmap.Check(object) != nil {
			return // one level too many
		}
		first, err := jsonmap.Parse(object)
		require.NoError(t, err)
		decoder := json.NewDecoder(bytes.NewReader(object))
		decoder.UseNumber()
		var theirs map[string]any
		require.NoError(t, decoder.Decode(&theirs))
		require.Equal(t, jsonmap.JSONMap(theirs), first)
		written, err := first.MarshalJSON()
		require.NoError(t, err)
		second, err := jsonmap.Parse(written)
		require.NoError(t, err)
		require.Equal(t, first, second)
		require.Equal(t, first, first.Clone())
		again, err := jsonmap.Size(written)
		require.NoError(t, err)
		require.Equal(t, size+len(`{"v": }`), again)
		require.LessOrEqual(t, again, jsonmap.AtMost(first))
	})
}

// FuzzGet: no pointer panics, and one that leads somewhere does so in a clone.
func FuzzGet(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":1}]}`), "/a/0/b")
	f.Fuzz(func(t *testing.T, text []byte, pointer string) {
		m, err := jsonmap.Parse(text)
		if err != nil {
			return
		}
		value, found := m.Get(pointer)
		same, foundToo := m.Clone().Get(pointer)
		require.Equal(t, found, foundToo)
		require.Equal(t, value, same)
		m.GetInt64(pointer)
		m.GetString(pointer)
	})
}
