package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "go.example/saga/"

// listed is what `go list` says of a package; tests are not among its imports.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string // what its files import
	Deps       []string // what it reaches
}

// packages are those of the project and everything they reach.
var packages = sync.OnceValues(func() (map[string]listed, error) {
	if err := dependOnSources(); err != nil {
		return nil, err
	}
	command := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Standard,Imports,Deps", module+"...")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return nil, errors.Join(err, errors.New(stderr.String()))
	}
	found := map[string]listed{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, err
		}
		found[p.ImportPath] = p
	}
})

// dependOnSources looks at every Go file, so that `go test` does not answer from
// its cache when one has changed: it cannot see what `go list` reads.
func dependOnSources() error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root {
			return fs.SkipDir
		}
		if err == nil && filepath.Ext(path) == ".go" {
			_, err = os.Stat(path)
		}
		return err
	})
}

func load(t *testing.T) map[string]listed {
	t.Helper()
	found, err := packages()
	require.NoError(t, err)
	require.Contains(t, found, module+"pkg/saga")
	return found
}

// below tells whether a package is the folder or lies in it.
func below(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// ours calls check for each package of the project below one of the folders.
func ours(t *testing.T, check func(path string, p listed), folders ...string) {
	t.Helper()
	for path, p := range load(t) {
		rest, ok := strings.CutPrefix(path, module)
		for _, folder := range folders {
			if ok && below(rest, folder) {
				check(rest, p)
			}
		}
	}
}

// cores are the packages that decide, and what else each may reach of the project.
// Values go in and values come out.
var cores = map[string][]string{
	"pkg/saga":        {"pkg/jsonmap", "pkg/condition"},
	"pkg/outbox/desk": nil,
	"pkg/inbox/blame": nil,
}

func TestCoresReachOnlyValues(t *testing.T) {
	t.Parallel()
	all := load(t)
	for name, mayReach := range cores {
		core := all[module+name]
		require.NotEmpty(t, core.Deps, name)
		for _, path := range core.Deps {
			checkCoreReaches(t, name, mayReach, all[path])
		}
		// The package os is reached through fmt; used it may not be.
		for _, effect := range []string{"os", "syscall", "sync", "unsafe"} {
			require.NotContains(t, core.Imports, effect, name)
		}
	}
}

func checkCoreReaches(t *testing.T, core string, mayReach []string, p listed) {
	t.Helper()
	if !p.Standard && (core != "pkg/saga" || !strings.HasPrefix(p.ImportPath, "github.com/expr-lang/expr")) {
		require.Contains(t, mayReach, strings.TrimPrefix(p.ImportPath, module), "%s reaches another module or package", core)
	}
	if p.ImportPath == "net/url" || p.ImportPath == "net/netip" {
		return // they take text apart
	}
	for _, effect := range []string{"context", "os/exec", "os/signal", "net", "database/sql", "crypto/rand", "log", "testing"} {
		require.False(t, below(p.ImportPath, effect), "%s reaches %s", core, p.ImportPath)
	}
	// Exact numbers are math/big's, which offers to draw some at random.
	if p.ImportPath != "math/big" {
		require.NotContains(t, p.Imports, "math/rand", "%s reaches it through %s", core, p.ImportPath)
	}
}

func TestOnlyRabbitSpeaksAMQP(t *testing.T) {
	t.Parallel()
	const library = "github.com/rabbitmq/amqp091-go"
	for path, p := range load(t) {
		if !strings.HasPrefix(path, library) && path != module+"pkg/rabbit" {
			require.NotContains(t, p.Imports, library, path)
		}
	}
}

func TestLibraryDoesNotReachTheDaemons(t *testing.T) {
	t.Parallel()
	ours(t, func(path string, p listed) {
		for _, dep := range p.Deps {
			if dep == module+"internal/address" {
				continue // addresses are read in one place
			}
			for _, above := range []string{"internal", "cmd", "test"} {
				require.False(t, below(dep, module+above), "%s reaches %s", path, dep)
			}
		}
	}, "pkg", "sql")
}

func TestEnginesReachNoBroker(t *testing.T) {
	t.Parallel()
	engines := []string{"pkg/outbox/relay", "pkg/saga/orchestrator", "pkg/saga/watcher", "pkg/participant"}
	ours(t, func(path string, p listed) {
		for _, dep := range p.Deps {
			require.False(t, below(dep, module+"pkg/rabbit"), "%s reaches %s: declare the interface that it needs", path, dep)
		}
	}, engines...)
}

// rank is the height of a folder in the house. Imports go to the same height or
// below, never up.
var rank = []struct {
	folder string
	height int
}{
	// The first match counts, so the special ones come first.
	{"pkg/outbox/relay", 5},
	{"pkg/outbox/outboxpg", 4},
	{"pkg/outbox/desk", 1},
	{"pkg/saga/orchestrator", 5},
	{"pkg/saga/sagapg", 4},
	{"pkg/saga/watcher", 5},
	{"pkg/saga/sagayaml", 3},
	{"pkg/participant", 5},
	{"pkg/rabbit", 4},
	{"pkg/inbox/blame", 0},
	{"pkg/inbox", 3},
	{"pkg/httpcall", 6},
	{"pkg/webhook", 6},
	{"pkg/protocol", 3},
	{"pkg/outbox", 2},
	{"pkg/saga", 2},
	{"pkg/jsonmap", 1},
	{"pkg/flow", 0},
	{"pkg/groupcommit", 0},
	{"pkg/condition", 2},
	{"pkg/compose", 2},
	{"sql", 0},
	{"internal/address", 0},
	{"internal/config", 6},
	{"internal/footprint", 6},
	{"internal/httpapi", 6},
	{"internal/sample", 6},
	{"internal/app", 7},
	{"internal/cli", 8},
	{"internal", 8}, // the tools of development
	{"cmd", 9},
}

func height(path string) (int, bool) {
	rest, ok := strings.CutPrefix(path, module)
	if !ok {
		return 0, false
	}
	for _, r := range rank {
		if below(rest, r.folder) {
			return r.height, true
		}
	}
	return 0, false
}

func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	ours(t, func(path string, p listed) {
		own, known := height(module + path)
		require.True(t, known, "%s is new: give its folder a height in this test", path)
		for _, dep := range p.Imports {
			other, known := height(dep)
			require.True(t, !known || other <= own, "%s imports %s, which is above it", path, dep)
		}
	}, "cmd", "internal", "pkg", "sql")
}
