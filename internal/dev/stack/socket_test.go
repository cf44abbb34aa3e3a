package stack

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A port belongs to the stack from the moment on in which it is chosen, also while
// no daemon runs that serves it.
func TestBoundPortIsTaken(t *testing.T) {
	t.Parallel()
	taken, err := bind(loopback)
	require.NoError(t, err)
	_, err = net.Listen("tcp", taken.addr)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	_, err = Launch(t.Context(), Settings{Listen: taken.addr, LogDir: t.TempDir()})
	require.ErrorIs(t, err, syscall.EADDRINUSE, "said before anything is started")
	require.NoError(t, taken.file.Close())
	listener, err := net.Listen("tcp", taken.addr)
	require.NoError(t, err)
	require.NoError(t, listener.Close())
}
