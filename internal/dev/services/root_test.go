package services

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRootIsTheModule(t *testing.T) {
	t.Parallel()
	dir, err := Root()
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(dir, "internal", "dev", "services", "root_test.go"))
}
