package fault

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
)

// namedTest is a test in docs/failures.md: `folder.Function` or `folder.Function/part`.
var namedTest = regexp.MustCompile("`([a-z0-9/]+)\\.(Test\\w+)(/[^`]+)?`")

// Every test that docs/failures.md names exists, and no row goes without one.
func TestFailuresNameTests(t *testing.T) {
	t.Parallel()
	root, err := services.Root()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "docs", "failures.md"))
	require.NoError(t, err)
	rows := 0
	for line := range strings.Lines(string(text)) {
		named := namedTest.FindAllStringSubmatch(line, -1)
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| failure |") && !strings.HasPrefix(line, "| --- |") {
			rows++
			require.NotEmpty(t, named, line)
		}
		for _, match := range named {
			source := testsIn(t, filepath.Join(root, match[1]))
			require.Contains(t, source, "\nfunc "+match[2]+"(t *testing.T)", line)
			if part := strings.TrimPrefix(match[3], "/"); part != "" {
				require.Contains(t, source, `t.Run("`+part+`"`, line)
			}
		}
	}
	require.Greater(t, rows, 30)
}

// testsIn are the tests of a folder.
func testsIn(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		all.Write(text)
	}
	return all.String()
}
