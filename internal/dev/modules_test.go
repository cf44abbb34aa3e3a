package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/services"
)

// On a machine without CA certificates Go cannot download the modules. make says
// what to install.
func TestMakeNamesTheMissingCertificates(t *testing.T) {
	t.Parallel()
	root, err := services.Root()
	require.NoError(t, err)
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	run := func(proxy string) string {
		command := exec.CommandContext(t.Context(), "make", "--no-print-directory", "modules")
		command.Dir = root
		command.Env = append(os.Environ(), "GOMODCACHE="+t.TempDir(), "GOPROXY="+proxy, "GOFLAGS=-modcacherw", "GONOSUMDB=*", "GOTOOLCHAIN=local")
		out, err := command.CombinedOutput()
		require.Error(t, err)
		return string(out)
	}
	const remedy = "sudo apt-get install ca-certificates"
	require.Contains(t, run(untrusted.URL), remedy)
	require.NotContains(t, run("off"), remedy, "another failure has another remedy")
}
