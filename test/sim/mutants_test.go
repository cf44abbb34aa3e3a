package sim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mutant is a mistake that somebody could make: a replacement in one file.
type mutant struct {
	name     string
	file     string
	old, new string
}

// mutantSeeds are fewer than TestSchedules runs, which shows that nothing is found in
// them without a mistake.
const mutantSeeds = "50000"

// readable is how long a shrunk conversation may be, in lines.
const readable = 120

// TestMutants builds the simulator once with each mistake, and holds that schedules
// find it. A test that cannot fail shows nothing.
func TestMutants(t *testing.T) {
	t.Parallel()
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			t.Log(m.run(t, m.build(t)))
		})
	}
}

// build compiles the simulator with the mistake in it; the tree stays as it is.
func (m mutant) build(t *testing.T) (program string) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../..", m.file))
	require.NoError(t, err)
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(source), m.old), "what is to be replaced stands once in %s:\n%s", m.file, m.old)
	folder := t.TempDir()
	mistaken := filepath.Join(folder, "mistaken.go")
	require.NoError(t, os.WriteFile(mistaken, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{path: mistaken}})
	require.NoError(t, err)
	table := filepath.Join(folder, "overlay.json")
	require.NoError(t, os.WriteFile(table, overlay, 0o600))
	program = filepath.Join(folder, "mutant")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-overlay", table, "-ldflags=-s -w", "-o", program, "./run").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// run plays schedules until the mistake is found, and returns which invariant broke.
func (m mutant) run(t *testing.T, program string) string {
	t.Helper()
	var out bytes.Buffer
	command := exec.CommandContext(t.Context(), program, "-seeds", mutantSeeds)
	command.Stdout = &out
	err := command.Run()
	var exit *exec.ExitError
	require.True(t, err == nil || errors.As(err, &exit), "%v", err)
	lines := strings.Split(out.String(), "\n")
	require.Greater(t, len(lines), 2, "the mistake was not found in %s", lines[0])
	require.Equal(t, 1, exit.ExitCode(), "the program failed otherwise: %s", out.String())
	require.Less(t, len(lines), readable, "the conversation was not shrunk:\n%s", out.String())
	return lines[1]
}
