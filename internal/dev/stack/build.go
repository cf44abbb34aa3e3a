package stack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Daemons are the five programs of services that are not [SharedTable], in the order in which they are started.
var Daemons = []string{"relay", "orchestrator", "hotel", "payment", "reservation"}

// Build compiles the daemons of every [Form], of the project at root, into dir.
func Build(ctx context.Context, root, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the directory of the programs: %w", err)
	}
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, name := range Daemons {
		args = append(args, "./cmd/"+name)
	}
	args = append(args, "./internal/dev/"+participants)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the daemons: %w\n%s", err, out)
	}
	return nil
}
