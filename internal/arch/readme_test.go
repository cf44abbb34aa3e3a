package arch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's example of the one transaction stands in a file that is compiled.
func TestReadmeExampleIsCompiled(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(readme), "```go\nfunc Place")
	require.True(t, found)
	example, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	compiled, err := os.ReadFile(filepath.Join(root, "pkg/saga/sagapg/example_test.go"))
	require.NoError(t, err)
	require.Contains(t, string(compiled), "func Place"+example)
}
