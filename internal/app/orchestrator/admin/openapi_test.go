package admin_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app/orchestrator/admin"
)

// The description in docs is the one that is served; UPDATE_GOLDEN=1 writes it.
func TestDescriptionIsCurrent(t *testing.T) {
	t.Parallel()
	const file = "../../../../docs/admin-api.yaml"
	got, err := admin.OpenAPI()
	require.NoError(t, err)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}
