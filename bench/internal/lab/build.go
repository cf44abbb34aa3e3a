package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"go.example/saga/internal/dev/services"
)

// Build builds programs as they are released and returns the directory where they are.
func (l *Lab) Build(ctx context.Context, names ...string) (string, error) {
	root, err := services.Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(l.Dir, "bin") + string(filepath.Separator)
	args := []string{"build", "-trimpath", "-o", dir}
	for _, name := range names {
		args = append(args, "./cmd/"+name)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return filepath.Clean(dir), nil
}
