package orchestratorcmd

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
)

// A schema is printed as it stands in docs/schema; no setting and no database is needed.
func TestSchema(t *testing.T) {
	t.Parallel()
	schemaOf := func(args ...string) (code int, stdout, stderr string) {
		var out, errs bytes.Buffer
		cmd := New()
		cmd.SetArgs(append([]string{"schema"}, args...))
		cmd.SetOut(&out)
		cmd.SetErr(&errs)
		code = cli.Run(t.Context(), cmd)
		return code, out.String(), errs.String()
	}
	for _, name := range []string{"command", "definition", "event", "instruction", "reply"} {
		code, out, errs := schemaOf(name)
		require.Zero(t, code, errs)
		text, err := os.ReadFile("../../../docs/schema/" + name + ".schema.json")
		require.NoError(t, err)
		require.Equal(t, string(text), out)
	}
	const names = "command, definition, event, instruction, reply"
	for _, args := range [][]string{{}, {"definition", "reply"}, {"saga"}, {"../schema"}, {"definition.schema.json"}, {""}, {"."}} {
		code, out, errs := schemaOf(args...)
		require.Equal(t, 2, code, "%q", args)
		require.Empty(t, out, "%q", args)
		require.Contains(t, errs, names, "%q", args)
	}
	code, help, _ := schemaOf("--help")
	require.Zero(t, code)
	require.Contains(t, help, names)
}
