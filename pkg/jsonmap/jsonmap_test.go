package jsonmap_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
)

func parse(t testing.TB, text string) jsonmap.JSONMap {
	t.Helper()
	m, err := jsonmap.Parse([]byte(text))
	require.NoError(t, err)
	return m
}

func TestParseKeepsNumbersAsTheyAre(t *testing.T) {
	t.Parallel()
	text := `{"big":9007199254740993,"cents":0.10,"list":[1e400,{"n":-0.0}]}`
	written, err := parse(t, text).MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, text, string(written))
}

func TestParseTakesObjectsOnly(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`null`, `[]`, `1`, `"{}"`, ``, `{`} {
		_, err := jsonmap.Parse([]byte(text))
		var wrong *jsonmap.Error
		require.ErrorAs(t, err, &wrong, text)
	}
	var s struct{ Payload jsonmap.JSONMap }
	require.NoError(t, json.Unmarshal([]byte(`{"Payload":{"a":1}}`), &s))
	require.Equal(t, jsonmap.JSONMap{"a": json.Number("1")}, s.Payload)
	require.NoError(t, json.Unmarshal([]byte(`{"Payload":null}`), &s))
	require.Nil(t, s.Payload)
	require.ErrorContains(t, json.Unmarshal([]byte(`{"Payload":{"a":1,"a":1}}`), &s), "twice")
}

type status string

func TestMarshalTakesWhatGoBuilds(t *testing.T) {
	t.Parallel()
	one := 1
	id := uuid.MustParse("00000000-0000-4000-8000-000000000001")
	m := jsonmap.JSONMap{
		"z": nil, "y": true, "x": "<&>\u2028\"\\\n", "w": json.Number("1.10"), "v": int8(-1), "u": uint64(math.MaxUint64),
		"t": 1.5, "s": float32(0.1), "r": []string{"a"}, "q": map[string]int{"b": 2, "a": 1}, "p": jsonmap.JSONMap{"k": []any{}},
		"o": &one, "n": (*int)(nil), "m": status("S"), "l": id, "k": json.RawMessage(`[1]`), "j": [2]bool{true, false},
		"i": time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC), "h": []int(nil), "g": jsonmap.JSONMap(nil), "f": big.NewInt(7), "e": map[status]any{"x": 1},
	}
	text, err := m.MarshalJSON()
	require.NoError(t, err)
	//nolint:testifylint // the order of the keys and every byte matter
	require.Equal(t, `{"e":{"x":1},"f":7,"g":{},"h":[],"i":"2026-11-23T01:02:03Z","j":[true,false],"k":[1],"l":"00000000-0000-4000-8000-000000000001",`+
		`"m":"S","n":null,"o":1,"p":{"k":[]},"q":{"a":1,"b":2},"r":["a"],"s":0.1,"t":1.5,"u":18446744073709551615,"v":-1,"w":1.10,`+
		`"x":"<&>`+"\u2028"+`\"\\\u000a","y":true,"z":null}`, string(text))
	require.NoError(t, jsonmap.Check(text))

	empty, err := jsonmap.JSONMap(nil).MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, `{}`, string(empty))
}

type broken struct{}

func (broken) MarshalJSON() ([]byte, error) { return nil, errors.New("no") }

func TestMarshalRefusesWithThePath(t *testing.T) {
	t.Parallel()
	deep := jsonmap.JSONMap{}
	deep["again"] = deep
	cases := []struct {
		value   any
		pointer string
	}{
		{math.NaN(), "/v"},
		{[]any{1, math.Inf(-1)}, "/v/1"},
		{float32(math.Inf(1)), "/v"},
		{"\xff", "/v"},
		{map[string]any{"k/": "a\x00"}, "/v/k~1"},
		{map[string]int{"\x00": 1}, "/v/\x00"},
		{jsonmap.JSONMap{"\xff": 1}, "/v/\uFFFD"},
		{json.Number(""), "/v"},
		{json.Number("1e131072"), "/v"},
		{json.Number("NaN"), "/v"},
		{[]any{json.Number("01")}, "/v/0"},
		{json.RawMessage(`{"a":[1,"\u0000"]}`), "/v/a/1"},
		{json.RawMessage(`{"a":1,"a":1}`), "/v/a"},
		{broken{}, "/v"},
		{struct{}{}, "/v"},
		{[]byte("x"), "/v"},
		{make(chan int), "/v"},
		{map[int]int{}, "/v"},
		{func() {}, "/v"},
		{complex(1, 1), "/v"},
	}
	for _, c := range cases {
		_, err := jsonmap.JSONMap{"v": c.value}.MarshalJSON()
		var wrong *jsonmap.Error
		require.ErrorAs(t, err, &wrong, "%T %v", c.value, c.value)
		require.Equal(t, c.pointer, wrong.Pointer, wrong)
		require.Equal(t, -1, wrong.Offset)
	}
	_, err := deep.MarshalJSON()
	require.ErrorContains(t, err, "512 levels")
}

func TestGet(t *testing.T) {
	t.Parallel()
	// The examples of RFC 6901, section 5, and what they leave out.
	m := parse(t, `{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8,"~1":9,"o":{"p":[{"q":"r"}]}}`)
	for pointer, want := range map[string]any{
		"/foo/0": "bar", "/": json.Number("0"), "/a~1b": json.Number("1"), "/c%d": json.Number("2"), "/e^f": json.Number("3"),
		"/g|h": json.Number("4"), `/i\j`: json.Number("5"), `/k"l`: json.Number("6"), "/ ": json.Number("7"), "/m~0n": json.Number("8"),
		"/~01": json.Number("9"), "/o/p/0/q": "r",
	} {
		got, found := m.Get(pointer)
		require.True(t, found, pointer)
		require.Equal(t, want, got, pointer)
	}
	whole, found := m.Get("")
	require.True(t, found)
	require.Equal(t, m, whole)
	for _, pointer := range []string{"foo", "/none", "/foo/2", "/foo/-", "/foo/00", "/foo/01", "/foo/+1", "/foo/-1", "/foo/", "/foo/0/x", "/m~n", "/m~", "/~2"} {
		_, found := m.Get(pointer)
		require.False(t, found, pointer)
	}
	built := jsonmap.JSONMap{"a": jsonmap.JSONMap{"b": []any{int8(7), int64(math.MinInt64)}}, "s": "t"}
	n, ok := built.GetInt64("/a/b/1")
	require.True(t, ok)
	require.Equal(t, int64(math.MinInt64), n)
	text, ok := built.GetString("/s")
	require.True(t, ok)
	require.Equal(t, "t", text)
	for _, bad := range []string{"/a", "/s", "/none"} {
		_, ok = built.GetInt64(bad)
		require.False(t, ok)
	}
	for text, ok := range map[string]bool{"9223372036854775807": true, "9223372036854775808": false, "1.0": false, "1e2": false, "-0": true} {
		_, got := parse(t, `{"n":`+text+`}`).GetInt64("/n")
		require.Equal(t, ok, got, text)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	// The cases of RFC 7396, appendix A, whose both sides are objects.
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		target, patch := parse(t, c[0]), parse(t, c[1])
		require.Equal(t, parse(t, c[2]), target.Merge(patch), "%s + %s", c[0], c[1])
		require.Equal(t, parse(t, c[0]), target)
		require.Equal(t, parse(t, c[1]), patch)
	}
	require.Equal(t, jsonmap.JSONMap{}, jsonmap.JSONMap(nil).Merge(nil))
}

func TestCloneAndMergeShareNothing(t *testing.T) {
	t.Parallel()
	text := `{"a":{"b":[{"c":1}]}}`
	original, patch := parse(t, text), parse(t, `{"p":[{"q":1}]}`)
	for _, copied := range []jsonmap.JSONMap{original.Clone(), original.Merge(patch), jsonmap.JSONMap{}.Merge(original)} {
		list, _ := copied.Get("/a/b")
		list.([]any)[0].(map[string]any)["c"] = "changed"
		copied["a"].(map[string]any)["d"] = true
		if more, ok := copied.Get("/p/0"); ok {
			more.(map[string]any)["q"] = 2
		}
		require.Equal(t, parse(t, text), original)
		require.Equal(t, parse(t, `{"p":[{"q":1}]}`), patch)
	}
	require.Nil(t, jsonmap.JSONMap(nil).Clone())
}
