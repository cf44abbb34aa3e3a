package rabbit_test

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/rabbit"
)

// busySocket is a socket in the middle of writing "ab", and its other end, which
// has read the first letter. The pipe holds nothing: a write waits for its reader.
func busySocket(t *testing.T, writeTimeout time.Duration) (socket, other net.Conn) {
	t.Helper()
	near, other := net.Pipe()
	socket = rabbit.NewSocket(near, writeTimeout)
	t.Cleanup(func() { _ = other.Close(); _ = socket.Close() })
	write(t, socket, "ab")
	require.Equal(t, "a", read(t, other, 1))
	return socket, other
}

func write(t *testing.T, socket net.Conn, text string) {
	t.Helper()
	n, err := socket.Write([]byte(text))
	require.NoError(t, err)
	require.Len(t, text, n)
}

// read is what one read gives, at most max bytes.
func read(t *testing.T, conn net.Conn, max int) string {
	t.Helper()
	buffer := make([]byte, max)
	n, err := conn.Read(buffer)
	require.NoError(t, err)
	return string(buffer[:n])
}

func TestSocketWritesTogetherWhatCameMeanwhile(t *testing.T) {
	t.Parallel()
	socket, other := busySocket(t, patience)
	for _, text := range []string{"cd", "e", "fgh"} {
		write(t, socket, text)
	}
	require.Equal(t, "b", read(t, other, 100))
	require.Equal(t, "cdefgh", read(t, other, 100), "one write for all")
	write(t, socket, "i")
	require.Equal(t, "i", read(t, other, 100), "and none is kept waiting for more")
}

// If a full socket took more, the write would succeed at once.
func TestFullSocketTakesNothing(t *testing.T) {
	t.Parallel()
	socket, _ := busySocket(t, 500*time.Millisecond)
	write(t, socket, strings.Repeat("x", rabbit.MaxPending))
	_, err := socket.Write([]byte("y"))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestFullSocketGoesOnWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	socket, other := busySocket(t, patience)
	write(t, socket, strings.Repeat("x", rabbit.MaxPending))
	read := make(chan string)
	go func() {
		all := make([]byte, len("b")+rabbit.MaxPending+len("y"))
		_, _ = io.ReadFull(other, all)
		read <- string(all)
	}()
	write(t, socket, "y")
	require.Equal(t, "b"+strings.Repeat("x", rabbit.MaxPending)+"y", <-read)
}

func TestSocketCloseWritesWhatIsPending(t *testing.T) {
	t.Parallel()
	for range 50 { // the deadline hits or misses by chance
		socket, other := busySocket(t, patience)
		write(t, socket, "farewell")
		// As crypto/tls does on closing, to cut short a farewell of its own.
		require.NoError(t, socket.SetWriteDeadline(time.Now().Add(-time.Second)))
		rest := make(chan string)
		go func() {
			text, _ := io.ReadAll(other)
			rest <- string(text)
		}()
		require.NoError(t, socket.Close())
		require.Equal(t, "bfarewell", <-rest)
		_, err := socket.Write([]byte("too late"))
		require.ErrorIs(t, err, net.ErrClosed)
	}
}

// A write that takes too long ends everything, and whoever waits learns why.
func TestSocketSaysWhyItBroke(t *testing.T) {
	t.Parallel()
	socket, _ := busySocket(t, 50*time.Millisecond)
	_, err := socket.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	_, err = socket.Write([]byte("c"))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, socket.Close())
}
