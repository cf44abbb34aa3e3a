package services

import (
	"errors"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPortsStayUntilTaken(t *testing.T) {
	t.Parallel()
	taken := map[int]bool{firstPort + 1: true}
	free := func(port int) bool { return !taken[port] }
	stopped := func(string) bool { return false }
	chosen := ports{}.fill(stopped, free)
	require.Equal(t, ports{Postgres: firstPort, AMQP: firstPort + 2, Distribution: firstPort + 3, PortMapper: firstPort + 4}, chosen)
	require.Equal(t, chosen, chosen.fill(stopped, free))

	taken[chosen.AMQP] = true
	moved := chosen.fill(stopped, free)
	require.Equal(t, firstPort+5, moved.AMQP, "not one of the others, though they are free while stopped")
	moved.AMQP = chosen.AMQP
	require.Equal(t, chosen, moved, "the others stay")

	taken[chosen.Postgres] = true
	require.Equal(t, chosen, chosen.fill(func(string) bool { return true }, free), "a server that runs has taken its port itself")
}

// Another clone may choose the same port, and be the first to listen on it.
func TestServerIsStartedAgainWhenItsPortWasTaken(t *testing.T) {
	t.Parallel()
	p := &private{dir: t.TempDir(), report: t.Logf}
	var tried []int
	found, err := onFreePorts(p, func(chosen ports) (string, error) {
		tried = append(tried, chosen.AMQP)
		if len(tried) > 1 {
			return "started", nil
		}
		listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(chosen.AMQP))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, listener.Close()) })
		return "", errors.New("the process ended")
	})
	require.NoError(t, err)
	require.Equal(t, "started", found)
	require.Len(t, tried, 2)
	require.NotEqual(t, tried[0], tried[1])

	broken := errors.New("no space left on device")
	_, err = onFreePorts(p, func(ports) (string, error) { return "", broken })
	require.Equal(t, broken, err, "which no other port mends")
}

func TestPortsAreWrittenDown(t *testing.T) {
	t.Parallel()
	p := &private{dir: t.TempDir()}
	chosen, err := p.ports()
	require.NoError(t, err)
	require.FileExists(t, p.path("ports.json"))
	require.NotZero(t, chosen.Postgres)
}
