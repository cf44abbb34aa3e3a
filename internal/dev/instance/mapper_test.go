package instance

import (
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// speak sends one request of the protocol and returns the connection.
func speak(t *testing.T, m *Mapper, request ...byte) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(m.Port))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(request))), request...))
	require.NoError(t, err)
	return conn
}

// find returns the port that the mapper tells, 0 where it knows no such node.
func find(t *testing.T, m *Mapper, name string) int {
	t.Helper()
	answer, err := io.ReadAll(speak(t, m, append([]byte{'z'}, name...)...))
	require.NoError(t, err)
	require.Equal(t, byte('w'), answer[0])
	if answer[1] != 0 {
		return 0
	}
	require.Equal(t, []byte{77, 0, 0, 6, 0, 5, 0, byte(len(name))}, answer[4:12], "kind, protocol, versions, length")
	return int(binary.BigEndian.Uint16(answer[2:]))
}

// A node is known to all mappers for as long as it is connected; each tells where it is by
// the way that is its own.
func TestNodesAreFoundByTheirWay(t *testing.T) {
	t.Parallel()
	names := &Names{}
	direct, err := names.Listen(nil)
	require.NoError(t, err)
	t.Cleanup(direct.Close)
	around, err := names.Listen(func(name string, port int) int {
		require.Equal(t, "n1", name)
		return port + 1
	})
	require.NoError(t, err)
	t.Cleanup(around.Close)

	require.Zero(t, find(t, direct, "n1"))
	node := speak(t, direct, 'x', 0x1f, 0x90, 77, 0, 0, 6, 0, 5, 0, 2, 'n', '1', 0, 0)
	answer := make([]byte, 6)
	_, err = io.ReadFull(node, answer)
	require.NoError(t, err)
	require.Equal(t, []byte{'v', 0}, answer[:2])
	require.Equal(t, 8080, find(t, direct, "n1"))
	require.Equal(t, 8081, find(t, around, "n1"))
	listed, err := io.ReadAll(speak(t, around, 'n'))
	require.NoError(t, err)
	require.Equal(t, "name n1 at port 8080\n", string(listed[4:]))

	require.NoError(t, node.Close())
	require.Eventually(t, func() bool { return find(t, direct, "n1") == 0 }, 10*time.Second, 10*time.Millisecond)
}
