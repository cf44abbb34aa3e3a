package orchestratorcmd

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
)

const (
	sound   = "name: trip\nversion: 1\nsteps:\n  - name: hotel\n"
	watched = "name: stay\nversion: 1\nstyle: choreography\nevents:\n  - name: room.booked\n    from: hotel\n"
)

// linted runs the command over files a.yaml, b.yaml, … with these texts.
func linted(t *testing.T, flags []string, texts ...string) (code int, stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	args := []string{}
	for i, text := range texts {
		file := filepath.Join(dir, string(rune('a'+i))+".yaml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		args = append(args, file)
	}
	var out, errs bytes.Buffer
	cmd := newDefinitionLint()
	cmd.SetArgs(append(args, flags...))
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	code = cli.Run(t.Context(), cmd)
	return code, strings.ReplaceAll(out.String(), dir+"/", ""), errs.String()
}

func TestLint(t *testing.T) {
	t.Parallel()
	misspelt := strings.Replace(sound, "name: hotel", "name: hotel\n    tpye: pivot\n    when: payload.", 1)
	cases := []struct {
		name  string
		texts []string
		want  string
	}{
		{"sound", []string{sound}, ""},
		{"the same twice", []string{sound, "# again\n" + sound}, ""},
		{"versions", []string{sound, strings.Replace(sound, "version: 1", "version: 2\ndeadline: 1h", 1)}, ""},
		{"every problem", []string{misspelt, "", sound}, `a.yaml:5:5: steps[0].tpye: unknown key "tpye": did you mean type?
a.yaml:6:11: steps[0].when: unexpected end of expression (1:8): write an expression over payload and outputs that is true or false
b.yaml:1:1: no definition: give name, version and steps
`},
		{"another plan", []string{sound, sound + "  - name: flight\n"}, `b.yaml:2:10: version: trip@1 is another plan in a.yaml: raise the version
`},
		{"both styles", []string{sound, watched}, ""},
		{
			"a choreography's problem",
			[]string{strings.Replace(watched, "from: hotel", "form: hotel", 1)},
			"a.yaml:6:5: events[0].form: unknown key \"form\": did you mean from?\n",
		},
		{
			"another choreography",
			[]string{watched, strings.Replace(watched, "hotel", "motel", 1)},
			"b.yaml:2:10: version: stay@1 is another plan in a.yaml: raise the version\n",
		},
		{
			"two styles of one name",
			[]string{strings.Replace(sound, "trip", "stay", 1), watched},
			"b.yaml:2:10: version: stay@1 is another plan in a.yaml: raise the version\n",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, out, errs := linted(t, nil, c.texts...)
			require.Equal(t, c.want, out)
			if c.want == "" {
				require.Zero(t, code)
				require.Empty(t, errs)
				return
			}
			require.Equal(t, cli.ExitFailed, code)
			require.Contains(t, errs, "in the definitions")
		})
	}
}

func TestLintForPrograms(t *testing.T) {
	t.Parallel()
	code, out, _ := linted(t, []string{"--json"}, sound)
	require.Zero(t, code)
	require.Equal(t, "[]\n", out)

	code, out, _ = linted(t, []string{"--json"}, sound, strings.Replace(sound, "hotel", "Hotel", 1))
	require.Equal(t, cli.ExitFailed, code)
	require.True(t, json.Valid([]byte(out)))
	require.JSONEq(t, `[{"file": "b.yaml", "line": 4, "column": 11, "path": "steps[0].name", "reason": "\"Hotel\" is not a name",
		"remedy": "use lower case letters, digits and single hyphens, at most 63 bytes"}]`, out)
}

func TestLintUsedWrongly(t *testing.T) {
	t.Parallel()
	code, out, errs := linted(t, nil)
	require.Equal(t, cli.ExitUsage, code)
	require.Empty(t, out)
	require.Contains(t, errs, "needs a YAML file")

	code, out, errs = linted(t, []string{"missing.yaml"}, strings.Replace(sound, "hotel", "Hotel", 1))
	require.Equal(t, cli.ExitUsage, code)
	require.Empty(t, out)
	require.Contains(t, errs, "no such file")
}
