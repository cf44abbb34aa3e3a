package sagayaml_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/saga/sagayaml"
)

// Whatever a valid definition holds is the same after it was written and read.
func TestWrittenAndReadAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		def := definitions.Draw(t, "definition")
		require.NoError(t, def.Validate())
		text, err := sagayaml.Marshal(def)
		require.NoError(t, err)
		same, err := sagayaml.Parse(text)
		require.NoError(t, err, "%s", text)
		require.Equal(t, def, same, "%s", text)
	})
}

var definitions = rapid.Custom(func(t *rapid.T) saga.Definition {
	def := saga.Definition{
		Name: "trip", Version: rapid.IntRange(1, saga.MaxVersion).Draw(t, "version"),
		Mode: rapid.SampledFrom([]saga.Mode{saga.Sequence, saga.TCC}).Draw(t, "mode"),
	}
	if rapid.Bool().Draw(t, "deadline") {
		def.Deadline = waits.Draw(t, "deadline")
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "steps") {
		s := steps(def.Mode).Draw(t, "step")
		s.Name = fmt.Sprintf("step-%d", i)
		s.Group = []string{"", "left", "right"}[i/2%3]
		def.Steps = append(def.Steps, s)
	}
	return def
})

func steps(mode saga.Mode) *rapid.Generator[saga.StepDefinition] {
	return rapid.Custom(func(t *rapid.T) saga.StepDefinition {
		s := saga.StepDefinition{
			Type: saga.Compensatable,
			Kind: rapid.SampledFrom([]saga.StepKind{saga.Command, saga.Delay, saga.Signal}).Draw(t, "kind"),
			When: rapid.SampledFrom(conditions).Draw(t, "when"),
		}
		switch s.Kind {
		case saga.Delay:
			s.Wait = waits.Draw(t, "wait")
		case saga.Signal:
			s.Wait, s.Keep = waits.Draw(t, "wait"), projections("").Draw(t, "keep")
			s.OnTimeout = rapid.SampledFrom([]saga.OnTimeout{saga.TimeoutRefuses, saga.TimeoutProceeds, saga.TimeoutParks}).Draw(t, "on timeout")
		case saga.Command:
			s.Destination = rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,99}`).Draw(t, "destination")
			s.Send, s.Keep = projections("/payload").Draw(t, "send"), projections("").Draw(t, "keep")
			s.Request, s.Cancel = policies.Draw(t, "request"), policies.Draw(t, "cancel")
			if mode == saga.TCC {
				s.Confirm = policies.Draw(t, "confirm")
			}
		}
		return s
	})
}

var (
	waits      = rapid.Map(rapid.Int64Range(int64(time.Millisecond), int64(saga.MaxWait)), func(n int64) time.Duration { return time.Duration(n) })
	conditions = []saga.Condition{
		"", "true", " payload.a == 1", "payload.a\n  == 'x: y \u0023' // why\n", `payload["\t"] == "#"`, "payload.a == 'ü\u2028'\r\n", "not payload?.b\n\n",
	}
	policies = rapid.Custom(func(t *rapid.T) saga.Policy {
		initial := waits.Draw(t, "initial")
		return saga.Policy{Timeout: waits.Draw(t, "timeout"), RetryFor: waits.Draw(t, "retry for"), Retry: saga.Retry{
			Initial: initial, Max: max(initial, waits.Draw(t, "max")),
			Factor: rapid.Float64Range(1, saga.MaxFactor).Draw(t, "factor"), Jitter: rapid.Float64Range(0, 1).Draw(t, "jitter"),
			Attempts: rapid.IntRange(1, saga.MaxAttempts).Draw(t, "attempts"),
		}}
	})
)

// words are those that YAML could take for something else, and any other.
var words = rapid.OneOf(rapid.StringN(0, 20, 200), rapid.SampledFrom([]string{
	"true", "null", "NaN", "a: b", "a:", "a #b", "a ", "a\n", "a\nb\n", "? a", "- a", "{a}", "[a", "a, b", "*a", "&a", "!a", "a\\n",
	"1e3", "0x1F", "a'b", `a"b`, "2026-11-23", "12:30", "<<", "%a", "@a", "~", "", "a\tb", "\u0085", "\u2028a", "\ufeffa", "|", ">",
})).Filter(func(s string) bool { return !strings.ContainsRune(s, 0) }) // which jsonb cannot hold

func projections(prefix string) *rapid.Generator[saga.Projection] {
	return rapid.Custom(func(t *rapid.T) saga.Projection {
		if rapid.Bool().Draw(t, "everything") {
			return nil
		}
		pointer := rapid.Map(words, func(s string) string { return prefix + "/" + s })
		names := words.Filter(func(s string) bool { return s != "" })
		return rapid.MapOfN(names, pointer, 0, 4).Draw(t, "members")
	})
}
