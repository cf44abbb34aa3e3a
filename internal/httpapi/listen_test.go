package httpapi

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// TestListenInherited serves on a socket that the parent process has bound: the
// child is this test's own program.
func TestListenInherited(t *testing.T) {
	t.Parallel()
	if addr := os.Getenv("TEST_INHERITED"); addr != "" {
		handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		require.NoError(t, Serve(t.Context(), addr, handler, zap.NewNop()))
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	file, err := listener.(*net.TCPListener).File()
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	defer func() { _ = file.Close() }()
	program, err := os.Executable()
	require.NoError(t, err)
	child := exec.CommandContext(t.Context(), program, "-test.run=^TestListenInherited$")
	child.Env = append(os.Environ(), "TEST_INHERITED=fd:3")
	child.ExtraFiles = []*os.File{file}
	require.NoError(t, child.Start())
	defer func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}()
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusTeapot, response.StatusCode)
}

func TestListenRefusesWhatIsNotInherited(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"fd:0": "names no inherited socket", "fd:": "names no inherited socket", "fd:x": "names no inherited socket",
		"fd:-3": "names no inherited socket", "fd:999": "no listening socket",
	} {
		_, err := Listen(t.Context(), addr)
		require.ErrorContains(t, err, want, addr)
	}
}
