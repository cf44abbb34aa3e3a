package services

import (
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

func TestPortsAreWrittenDown(t *testing.T) {
	t.Parallel()
	p := &private{dir: t.TempDir()}
	chosen, err := p.ports()
	require.NoError(t, err)
	require.FileExists(t, p.path("ports.json"))
	require.NotZero(t, chosen.Postgres)
}
