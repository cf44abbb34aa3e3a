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

// grace, an operator, gives the command `orchestrator saga` about the saga. Its exit
// code has to be 0.
func (s *stage) grace(words ...string) {
	s.Helper()
	file := filepath.Join(s.TempDir(), "orchestrator.yaml")
	text := fmt.Sprintf("database_url: %q\n", s.roles.URL(s, s.sagas, "saga_orchestrator"))
	require.NoError(s, os.WriteFile(file, []byte(text), 0o600))
	cmd := orchestratorcmd.New()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append(append([]string{"--config", file, "saga"}, words...), uuid.UUID(s.id).String(), "--who", "grace"))
	require.Equal(s, cli.ExitOK, cli.Run(context.Background(), cmd), "%s", &out)
}
