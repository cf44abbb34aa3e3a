package adopt_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/outbox/adopt"
)

func TestTemplates(t *testing.T) {
	t.Parallel()
	for template, parts := range map[string]int{
		"": 0, "events": 1, "{type}": 1, "{a}.{b}": 3, "x{a}{b}y": 4, "{a b}": 1,
		"{": -1, "}": -1, "{}": -1, "a{b": -1, "a}b": -1, "{a{b}}": -1, "{a}}": -1,
	} {
		parsed, err := adopt.Parse(template)
		if parts < 0 {
			require.Error(t, err, template)
			continue
		}
		require.NoError(t, err, template)
		require.Len(t, parsed, parts, template)
	}
}

// What is parsed is the whole template, in order.
func FuzzParse(f *testing.F) {
	f.Add("events")
	f.Add("{aggregatetype}.{type}")
	f.Fuzz(func(t *testing.T, template string) {
		parts, err := adopt.Parse(template)
		if err == nil {
			require.Equal(t, template, adopt.Join(parts))
		}
	})
}
