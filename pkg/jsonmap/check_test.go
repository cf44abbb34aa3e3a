package jsonmap_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
)

func nested(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }

// accepted are texts that jsonb holds whole.
var accepted = []string{
	`null`, `true`, `false`, `0`, `-0`, `-0.00`, `1`, `-1.50`, `1e5`, `1.5e1`, `1.25E-3`, `0.001e2`, `100e-2`, `0e5`, `12e-1`,
	`9007199254740993`, `123456789012345678901234567890.123456789`,
	`1e131071`, `0.01e131073`, `1e-16383`, `1.5e-16382`, `0e200000`, `0.0e200000`, `0e-16383`,
	`""`, `"a"`, `"é 😀"`, `"\u0001\u001f\u007f"`, `"\"\\\/\b\f\n\r\t"`, `"\ud83d\ude00\uD83D\uDE00"`, `"\uFFFF\uFFFD"`, `"\u00e9"`, "\"\x7f\"",
	` [ 1 , [ ] , { } ] `, "\t\n\r{\"a\":{\"\":[{\"b\":null}]}}", `{"a":1,"A":2,"":3}`, `[1,1]`, `{"a":{"a":1}}`,
	`{"a/b~c":[0]}`, nested(jsonmap.MaxDepth), `[` + strings.Repeat(`{"k":`, 511) + `1` + strings.Repeat(`}`, 511) + `]`,
}

// refused are texts that PostgreSQL refuses, with the pointer to the culprit.
var refused = []struct{ text, pointer string }{
	{``, ""},
	{` `, ""},
	{`tru`, ""},
	{`nul`, ""},
	{`True`, ""},
	{`NaN`, ""},
	{`{} x`, ""},
	{`1 2`, ""},
	{`[1]]`, ""},
	{"\ufeff1", ""},
	{`01`, ""},
	{`-`, ""},
	{`1.`, ""},
	{`.5`, ""},
	{`+1`, ""},
	{`1e`, ""},
	{`1e+`, ""},
	{`1-2`, ""},
	{`0x10`, ""},
	{`1.e1`, ""},
	{`--1`, ""},
	{`[1,]`, "/1"},
	{`[,1]`, "/0"},
	{`[1 2]`, ""},
	{`[`, "/0"},
	{`[1`, ""},
	{`{"a"}`, "/a"},
	{`{"a":}`, "/a"},
	{`{a:1}`, ""},
	{`{"a":1,}`, ""},
	{`{"a":1`, ""},
	{`{1:1}`, ""},
	{`"a`, ""},
	{`"a\`, ""},
	{`"\x"`, ""},
	{`"\u12"`, ""},
	{`"\u12g4"`, ""},
	{`"\u+123"`, ""},
	{"\"a\nb\"", ""},
	{"\"\x00\"", ""},
	{`'a'`, ""},
	{"\x00", ""},
	{`{"a":["x","\u0000"]}`, "/a/1"},
	{`{"a\u0000":1}`, ""},
	{`{"a/b":{"~":"\ud800"}}`, "/a~1b/~0"},
	{`["\udc00"]`, "/0"},
	{`["\ud800x"]`, "/0"},
	{`["\ud800\ud800"]`, "/0"},
	{`["\ud800\u0041"]`, "/0"},
	{"[1,\"\xff\"]", "/1"},
	{"[\"\xed\xa0\x80\"]", "/0"},
	{"[\"\xc0\xaf\"]", "/0"},
	{`[1e131072]`, "/0"},
	{`[10e131071]`, "/0"},
	{`[0.1e131073]`, "/0"},
	{`[1e-16384]`, "/0"},
	{`[1.5e-16383]`, "/0"},
	{`[0e-16384]`, "/0"},
	{`[0e2000000000]`, "/0"},
	{`[1e99999999999999999999]`, "/0"},
	{`[0.` + strings.Repeat("0", 16384) + `]`, "/0"},
	{strings.Repeat("9", 131073), ""},
}

// lossy are texts that PostgreSQL takes and we do not: it would lose a part of
// them, or others could not read them.
var lossy = []struct{ text, pointer string }{
	{`{"a":1,"a":2}`, "/a"},
	{`{"x":{"a":1,"\u0061":1}}`, "/x/a"},
	{nested(jsonmap.MaxDepth + 1), strings.Repeat("/0", jsonmap.MaxDepth)},
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, text := range accepted {
		require.NoError(t, jsonmap.Check([]byte(text)), "%.60q", text)
	}
	for _, c := range append(refused, lossy...) {
		var wrong *jsonmap.Error
		require.ErrorAs(t, jsonmap.Check([]byte(c.text)), &wrong, "%.60q", c.text)
		require.Equal(t, c.pointer, wrong.Pointer, "%.60q: %v", c.text, wrong)
		require.GreaterOrEqual(t, wrong.Offset, 0)
		require.LessOrEqual(t, wrong.Offset, len(c.text))
	}
}

func TestErrorNamesThePlaceAndNotTheValue(t *testing.T) {
	t.Parallel()
	err := jsonmap.Check([]byte(`{"card":"4000\u0000"}`))
	require.EqualError(t, err, `JSON at "/card" (byte 13): the character U+0000, which PostgreSQL cannot store`)
}
