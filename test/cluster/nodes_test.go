package cluster

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/instance"
	"go.example/saga/internal/testenv"
)

// size of the cluster: the smallest that outlives a node.
const size = 3

// nodes are a cluster of one test.
type nodes struct {
	*testing.T
	all []*instance.Node
	// links lead from a node to another: Erlang's distribution, in which the one that
	// connects speaks first. That of a node to itself is nil.
	links [size][size]*testenv.Proxy
}

// startNodes starts the cluster. RABBITMQ_ROOT is the folder of another distribution with
// another RabbitMQ, as `make versions-test` makes one.
func startNodes(t *testing.T) *nodes {
	t.Helper()
	n := &nodes{T: t}
	root := os.Getenv("RABBITMQ_ROOT")
	dir, err := os.MkdirTemp(filepath.Join(root, "/var/tmp"), "saga-cluster-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	settings := make([]instance.NodeSettings, size)
	cookie := rand.Text()
	for i := range settings {
		port, err := instance.FreePort()
		require.NoError(t, err)
		settings[i] = instance.NodeSettings{
			Name: fmt.Sprintf("n%d@localhost", i+1), Root: root, Cookie: cookie, Distribution: port,
			Dir:    filepath.Join(strings.TrimPrefix(dir, root), fmt.Sprintf("n%d", i+1)),
			Config: formation + os.Getenv("RABBITMQ_CONFIG"),
		}
	}
	names := &instance.Names{}
	for i := range settings {
		settings[i].Mapper = n.mapper(names, i, settings).Port
		node, err := instance.NewNode(settings[i])
		require.NoError(t, err)
		n.all = append(n.all, node)
	}
	t.Cleanup(func() { n.kill(0, 1, 2) })
	n.start(0, 1, 2) // side by side: RabbitMQ 4 waits for the others
	out, err := n.all[0].Run(instance.RabbitCtl, "-q", "cluster_status")
	require.NoError(t, err)
	for _, s := range settings {
		require.Contains(t, out, s.Name)
	}
	return n
}

const formation = `
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = n1@localhost
cluster_formation.classic_config.nodes.2 = n2@localhost
cluster_formation.classic_config.nodes.3 = n3@localhost
`

// mapper tells node i of the others, and leads it to them through links that can be cut.
func (n *nodes) mapper(names *instance.Names, i int, settings []instance.NodeSettings) *instance.Mapper {
	n.Helper()
	ports := map[string]int{}
	for j, other := range settings {
		if j == i {
			continue
		}
		n.links[i][j] = testenv.StartProxy(n.T, fmt.Sprintf("tcp://127.0.0.1:%d", other.Distribution))
		host := strings.TrimPrefix(n.links[i][j].URL, "tcp://")
		_, text, err := net.SplitHostPort(host)
		require.NoError(n, err)
		var port int
		_, err = fmt.Sscan(text, &port)
		require.NoError(n, err)
		short, _, _ := strings.Cut(other.Name, "@")
		ports[short] = port
	}
	m, err := names.Listen(func(name string, port int) int {
		if through, ok := ports[name]; ok {
			return through
		}
		return port
	})
	require.NoError(n, err)
	n.Cleanup(m.Close)
	return m
}

// start starts some nodes side by side and waits until clients can log in.
func (n *nodes) start(which ...int) {
	n.Helper()
	for _, i := range which {
		require.NoError(n, n.all[i].Start())
	}
	for _, i := range which {
		require.NoError(n, n.all[i].Ready(n.Context()))
	}
}

// kill ends nodes as a loss of power does.
func (n *nodes) kill(which ...int) {
	n.Helper()
	var all sync.WaitGroup
	for _, i := range which {
		all.Go(func() { _ = n.all[i].End(syscall.SIGKILL) }) // it may have ended
	}
	all.Wait()
}

func (n *nodes) signal(i int, signal syscall.Signal) {
	n.Helper()
	require.NoError(n, n.all[i].Signal(signal))
}

// part silences the network between a node and the others. Nobody is told, as when a
// switch has failed.
func (n *nodes) part(node int) { n.between(node, (*testenv.Proxy).Stall) }

// heal lets pass what was held up, as TCP sends it again.
func (n *nodes) heal(node int) { n.between(node, (*testenv.Proxy).Heal) }

func (n *nodes) between(node int, act func(*testenv.Proxy)) {
	for i := range size {
		if i != node {
			act(n.links[i][node])
			act(n.links[node][i])
		}
	}
}

// vhost makes a virtual host.
func (n *nodes) vhost(name string) {
	n.Helper()
	for _, args := range [][]string{{"add_vhost", name}, {"set_permissions", "-p", name, "guest", ".*", ".*", ".*"}} {
		_, err := n.all[0].Run(instance.RabbitCtl, args...)
		require.NoError(n, err)
	}
}

// balance gives each node its part of the queues' leaders, and lets the clients connect anew: a
// node that has just come back leads none and serves nobody.
func (n *nodes) balance() {
	n.Helper()
	for _, args := range [][]string{
		{instance.RabbitQueues, "rebalance", "quorum"}, {instance.RabbitCtl, "close_all_connections", "the next fault"},
	} {
		_, err := n.all[0].Run(args[0], args[1:]...)
		require.NoError(n, err)
	}
}

// leads counts the queues that a node leads.
func (n *nodes) leads() (count [size]int) {
	n.Helper()
	out, err := n.all[0].Run(instance.RabbitCtl, "eval", `[element(2, amqqueue:get_pid(Q)) || Q <- rabbit_amqqueue:list(), is_tuple(amqqueue:get_pid(Q))].`)
	require.NoError(n, err)
	for i, node := range n.all {
		count[i] = strings.Count(out, node.Settings.Name)
	}
	return count
}
