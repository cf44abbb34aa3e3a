package fault

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/instance"
)

// node is a RabbitMQ of one test.
type node struct {
	*testing.T
	URL string
	it  *instance.Node
}

func startNode(t *testing.T) *node {
	t.Helper()
	needs(t, instance.RabbitServer, instance.RabbitCtl)
	mapper, err := new(instance.Names).Listen(nil)
	require.NoError(t, err)
	t.Cleanup(mapper.Close)
	it, err := instance.NewNode(instance.NodeSettings{Name: "fault@localhost", Dir: ownDir(t), Mapper: mapper.Port})
	require.NoError(t, err)
	n := &node{T: t, it: it, URL: it.URL() + "?heartbeat=1"}
	t.Cleanup(func() { n.end(syscall.SIGKILL) })
	n.run()
	n.await()
	return n
}

func (n *node) run() {
	n.Helper()
	require.NoError(n, n.it.Start())
}

// await waits until clients can log in.
func (n *node) await() {
	n.Helper()
	require.NoError(n, n.it.Ready(n.Context()))
}

func (n *node) signal(signal syscall.Signal) {
	n.Helper()
	require.NoError(n, n.it.Signal(signal))
}

// end ends it by a signal and waits; it may have ended already.
func (n *node) end(signal syscall.Signal) {
	n.Helper()
	require.NoError(n, n.it.End(signal))
}

// ctl is rabbitmqctl.
func (n *node) ctl(args ...string) {
	n.Helper()
	_, err := n.it.Run(instance.RabbitCtl, args...)
	require.NoError(n, err)
}

// crash ends the node as kill -9 does and starts it again.
func (n *node) crash() {
	n.Helper()
	n.end(syscall.SIGKILL)
	n.run()
}
