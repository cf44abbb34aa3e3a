package fault

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/rabbit"
)

// Debian's own scripts: those in /usr/sbin change the user and the home directory.
const (
	rabbitServer = "/usr/lib/rabbitmq/bin/rabbitmq-server"
	rabbitCtl    = "/usr/lib/rabbitmq/bin/rabbitmqctl"
)

// node is a RabbitMQ of one test, with a port mapper and a cookie of its own.
type node struct {
	server
	URL string
	env []string
}

func startNode(t *testing.T) *node {
	t.Helper()
	needs(t, rabbitServer, rabbitCtl, "epmd")
	dir, amqp, mapper := ownDir(t), freePort(t), freePort(t)
	for name, text := range map[string]string{
		"rabbitmq.conf": "listeners.tcp.1 = 127.0.0.1:" + amqp + "\n", "advanced.config": "[].\n", "enabled_plugins": "[].\n", "env.conf": "",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	n := &node{URL: "amqp://guest:guest@127.0.0.1:" + amqp + "/?heartbeat=1"}
	n.env = []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
		"HOME=" + dir, // Erlang makes its cookie here
		"RABBITMQ_NODENAME=fault@localhost", "RABBITMQ_DIST_PORT=" + freePort(t),
		"RABBITMQ_CONF_ENV_FILE=" + filepath.Join(dir, "env.conf"),
		"RABBITMQ_CONFIG_FILE=" + filepath.Join(dir, "rabbitmq.conf"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + filepath.Join(dir, "advanced.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(dir, "enabled_plugins"),
		"RABBITMQ_MNESIA_BASE=" + filepath.Join(dir, "mnesia"), "RABBITMQ_LOG_BASE=" + filepath.Join(dir, "log"),
		// The start script becomes the node, so that a signal hits the node itself.
		"RABBITMQ_ALLOW_INPUT=true", "RABBITMQ_SERVER_START_ARGS=-noinput",
		"ERL_EPMD_PORT=" + mapper, "ERL_EPMD_ADDRESS=127.0.0.1", "ERL_FLAGS=-kernel inet_dist_use_interface {127,0,0,1}",
	}
	epmd := &server{T: t, log: filepath.Join(dir, "epmd.log"), command: func() *exec.Cmd {
		return n.program("epmd", "-port", mapper, "-address", "127.0.0.1")
	}}
	epmd.run()
	n.server = server{T: t, log: filepath.Join(dir, "node.log"), command: func() *exec.Cmd { return n.program(rabbitServer) }}
	n.run()
	n.await()
	return n
}

func (n *node) program(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = n.env, "/", attributes()
	return cmd
}

// await waits until clients can log in.
func (n *node) await() {
	n.Helper()
	config := rabbit.Config{URL: func(context.Context) (string, error) { return n.URL, nil }}
	require.Eventually(n, func() bool {
		_, err := rabbit.Ping(n.Context(), config)
		return err == nil
	}, patience, 100*time.Millisecond, "the broker is up, see its log %s", n.log)
}

// ctl is rabbitmqctl.
func (n *node) ctl(args ...string) {
	n.Helper()
	out, err := n.program(rabbitCtl, append([]string{"-n", "fault@localhost"}, args...)...).CombinedOutput()
	require.NoError(n, err, "%s", out)
}

// crash ends the node as kill -9 does and starts it again.
func (n *node) crash() {
	n.Helper()
	n.end(syscall.SIGKILL)
	n.run()
}
