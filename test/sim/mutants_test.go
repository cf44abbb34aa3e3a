package sim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// mutantSeeds are how many schedules a mistake has to be found in, and inboxSeeds how many of
// a queue, which are longer.
const (
	mutantSeeds = "200000"
	inboxSeeds  = "3000"
)

// readable is how long a shrunk conversation may be, in lines, and readableInbox one of a
// queue, in which a message that fails does so every few seconds.
const (
	readable      = 240
	readableInbox = 2000
)

// TestMutants builds the simulator once with each mistake, and holds that schedules
// find it. A test that cannot fail shows nothing. Without a mistake they find nothing.
func TestMutants(t *testing.T) {
	t.Parallel()
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		program := filepath.Join(t.TempDir(), "simulator")
		build(t, program)
		for _, args := range [][]string{{"-seeds", "50000"}, {"-inbox", "-seeds", "1500"}} {
			out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.True(t, strings.HasPrefix(string(out), args[len(args)-1]+" schedules"), "%s", out)
		}
	})
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			t.Log(m.run(t, readable, m.build(t), "-seeds", mutantSeeds))
		})
	}
	for _, m := range inboxMutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			t.Log(m.run(t, readableInbox, m.build(t), "-inbox", "-seeds", inboxSeeds))
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
	build(t, program, "-overlay", table)
	return program
}

// build is without the race detector: what runs in the program is one goroutine a core,
// and TestSchedules runs the same with it.
func build(t *testing.T, program string, flags ...string) {
	t.Helper()
	args := slices.Concat([]string{"build", "-buildvcs=false", "-ldflags=-s -w", "-o", program}, flags, []string{"./run"})
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// run plays schedules until the mistake is found, and returns which invariant broke.
func (m mutant) run(t *testing.T, most int, program string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	command := exec.CommandContext(t.Context(), program, args...)
	command.Stdout = &out
	err := command.Run()
	var exit *exec.ExitError
	require.True(t, err == nil || errors.As(err, &exit), "%v", err)
	lines := strings.Split(out.String(), "\n")
	require.Greater(t, len(lines), 2, "the mistake was not found in %s", lines[0])
	require.Equal(t, 1, exit.ExitCode(), "the program failed otherwise: %s", out.String())
	require.Less(t, len(lines), most, "the conversation was not shrunk:\n%s", out.String())
	return fmt.Sprintf("%s: %s in %d lines", lines[1], strings.Fields(lines[0])[0], len(lines))
}
