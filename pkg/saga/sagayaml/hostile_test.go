package sagayaml_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/saga/sagayaml"
)

// TestHostileTexts: what is written to exhaust memory or time is refused, soon.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	many := sagayaml.MaxBytes / 16
	cases := map[string]struct{ text, says string }{
		"long":               {strings.Repeat(" ", sagayaml.MaxBytes+1), "bytes"},
		"words":              {"name: " + strings.Repeat("a ", 8*many-10), ""},
		"lines of words":     {"name: a\n" + strings.Repeat(" a\n", 5*many), ""},
		"comments":           {strings.Repeat("#\n", 8*many), ""},
		"line breaks":        {"name: \"" + strings.Repeat("\n", 8*many), ""},
		"a block":            {"name: |\n" + strings.Repeat(" a\n", 5*many), ""},
		"no UTF-8":           {"name: trip\nversion: \xff", "line 2:1: not UTF-8"},
		"brackets":           {"name: " + strings.Repeat("[", many), "nested too deeply"},
		"braces":             {"name: " + strings.Repeat("{a: ", many), "nested too deeply"},
		"colons in braces":   {"name: {" + strings.Repeat("a: ", many), ""},
		"dashes":             {"steps:\n  " + strings.Repeat("- ", many), "nested too deeply"},
		"dashes in a list":   {"steps: [" + strings.Repeat("- ", many), "nested too deeply"},
		"question marks":     {strings.Repeat("? ", many), "not used in definitions"},
		"tags":               {"name: " + strings.Repeat("!a ", many), "not used in definitions"},
		"anchors":            {"name: " + strings.Repeat("&a ", many), ""},
		"keys":               {strings.Repeat("k: v\n", many), "too long"},
		"colons":             {strings.Repeat("a: ", many), "nested too deeply"},
		"parentheses":        {"name: t\nversion: 1\nsteps: [{name: a, when: '" + strings.Repeat("(", many) + "'}]", "bytes"},
		"steps":              {"name: t\nversion: 1\nsteps: [" + strings.Repeat("{name: a},", 1000) + "]", "list 1 to 100 steps"},
		"steps by alias":     {"name: t\nversion: 1\nsteps: [&a {parallel: g, steps: [" + strings.Repeat("{name: a},", 1000) + "]}" + strings.Repeat(",*a", 1000) + "]", "unfold"},
		"merges of merges":   {"name: t\nversion: 1\nsteps: [" + laughs(20) + "]", "unfold"},
		"an alias of itself": {"name: &a *a\nversion: 1\nsteps: [{name: a}]", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, err := sagayaml.Parse([]byte(c.text))
			require.Less(t, time.Since(began), time.Minute)
			var located *sagayaml.Error
			require.ErrorAs(t, err, &located)
			require.ErrorContains(t, err, c.says)
			for _, fault := range located.Faults {
				require.Positive(t, fault.Line)
				require.Positive(t, fault.Column)
			}
		})
	}
}

// laughs are steps of which each merges the one before twice.
func laughs(n int) string {
	steps := []string{"&m0 {name: a}"}
	for i := range n {
		before, own := string(rune('a'+i)), string(rune('a'+i+1))
		if i == 0 {
			before = "m0"
		}
		steps = append(steps, "&"+own+" {<<: [*"+before+", *"+before+"], name: "+own+"}")
	}
	return strings.Join(steps, ", ")
}
