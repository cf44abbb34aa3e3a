package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/internal/cli"
	"go.example/saga/internal/cli/orchestratorcmd"
)

// grace, an operator, gives the command `orchestrator saga` about the saga.
func (s *stage) grace(words ...string) {
	s.Helper()
	s.orchestrator(append(append([]string{"saga"}, words...), uuid.UUID(s.id).String(), "--who", "grace")...)
}

// orchestrator runs a command under the orchestrator's rights. Its exit code has to be 0.
func (s *stage) orchestrator(words ...string) string {
	s.Helper()
	file := filepath.Join(s.TempDir(), "orchestrator.yaml")
	text := fmt.Sprintf("database_url: %q\n", s.roles.URL(s, s.sagas, "saga_orchestrator"))
	require.NoError(s, os.WriteFile(file, []byte(text), 0o600))
	cmd := orchestratorcmd.New()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append([]string{"--config", file}, words...))
	require.Equal(s, cli.ExitOK, cli.Run(context.Background(), cmd), "%s", &out)
	return out.String()
}
