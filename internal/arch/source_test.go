package arch

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the project's directory, from this package's.
const root = "../.."

// TestCoresAreDeterministic looks for what would make the same event lead to
// another transition: the clock, chance, and goroutines.
func TestCoresAreDeterministic(t *testing.T) {
	t.Parallel()
	var files []string
	for core := range cores {
		found, err := filepath.Glob(filepath.Join(root, core, "*.go"))
		require.NoError(t, err)
		require.NotEmpty(t, found, core)
		files = append(files, found...)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(node ast.Node) bool {
			if what := effect(node); what != "" {
				t.Errorf("%s: %s in the pure core; take it as a value", set.Position(node.Pos()), what)
			}
			return true
		})
	}
}

func effect(node ast.Node) string {
	switch n := node.(type) {
	case *ast.GoStmt:
		return "a goroutine"
	case *ast.SelectStmt:
		return "a select"
	case *ast.SelectorExpr:
		name, ok := n.X.(*ast.Ident)
		if !ok {
			return ""
		}
		full := name.Name + "." + n.Sel.Name
		switch full {
		case "time.Now", "time.Since", "time.Until", "time.After", "time.AfterFunc", "time.Sleep",
			"time.Tick", "time.NewTimer", "time.NewTicker", "time.Local", "time.LoadLocation":
			return full
		}
		if name.Name == "rand" {
			return full
		}
	}
	return ""
}

func TestEffectIsSeen(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"time.Now()": "time.Now", "rand.IntN(3)": "rand.IntN", "go f()": "a goroutine", "f(t.Add(time.Second))": "",
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", "package p; func _() { "+source+" }", 0)
		require.NoError(t, err)
		var seen string
		ast.Inspect(file, func(node ast.Node) bool {
			seen += effect(node)
			return true
		})
		require.Equal(t, want, seen)
	}
}

func TestMainsAreShort(t *testing.T) {
	t.Parallel()
	const most = 30
	files, err := filepath.Glob(root + "/cmd/*/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		require.Equal(t, "main.go", filepath.Base(name), "a command is one file; its work is in internal/cli")
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.LessOrEqual(t, bytes.Count(text, []byte("\n")), most, name)
	}
}
