package instance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"go.example/saga/pkg/rabbit"
)

// Debian's own scripts: those in /usr/sbin change the user and the home directory.
const (
	RabbitServer = "/usr/lib/rabbitmq/bin/rabbitmq-server"
	RabbitCtl    = "/usr/lib/rabbitmq/bin/rabbitmqctl"
	RabbitQueues = "/usr/lib/rabbitmq/bin/rabbitmq-queues"
)

// Node is a RabbitMQ node with a name, a port mapper and a cookie of its own.
type Node struct {
	Process
	Settings NodeSettings
}

// NodeSettings are where a node is and how it is configured.
type NodeSettings struct {
	// Name has its host behind it: n1@localhost.
	Name string
	// Root is the folder of another distribution; empty means this machine.
	Root string
	// Dir holds all that the node writes. It is a path below Root.
	Dir string
	// Ports of AMQP, of Erlang's distribution and of its port mapper.
	AMQP, Distribution, Mapper int
	// Config is more lines for rabbitmq.conf.
	Config string
	// Cookie is the secret that nodes of one cluster share; empty lets Erlang make one.
	Cookie string
}

// NewNode chooses the ports that are not set and writes the node's configuration. It keeps
// the node off the machine's own in /etc/rabbitmq.
func NewNode(settings NodeSettings) (*Node, error) {
	for _, port := range []*int{&settings.AMQP, &settings.Distribution} {
		if *port != 0 {
			continue
		}
		free, err := FreePort()
		if err != nil {
			return nil, err
		}
		*port = free
	}
	n := &Node{Settings: settings}
	dir := n.outside()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of a RabbitMQ node: %w", err)
	}
	files := map[string]string{
		"rabbitmq.conf":   fmt.Sprintf("listeners.tcp.1 = 127.0.0.1:%d\n%s\n", settings.AMQP, settings.Config),
		"advanced.config": "[].\n",
		"enabled_plugins": "[].\n",
		"env.conf":        "",
	}
	if settings.Cookie != "" {
		files[".erlang.cookie"] = settings.Cookie
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("configure a RabbitMQ node: %w", err)
		}
	}
	n.Process = Process{Log: filepath.Join(dir, "node.log"), Command: func() *exec.Cmd { return n.Program(RabbitServer) }}
	return n, nil
}

// outside is the node's directory as this program sees it.
func (n *Node) outside() string { return filepath.Join(n.Settings.Root, n.Settings.Dir) }

// Program is a program of RabbitMQ's that speaks to the node.
func (n *Node) Program(path string, args ...string) *exec.Cmd {
	cmd := command(n.Settings.Root, path, args...)
	cmd.Env = append(cmd.Env, n.Settings.Environment()...)
	return cmd
}

// Run runs such a program to its end and returns what it printed.
func (n *Node) Run(path string, args ...string) (string, error) {
	out, err := n.Program(path, append([]string{"-n", n.Settings.Name}, args...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s of %s, %q: %w: %s", filepath.Base(path), n.Settings.Name, args, err, out)
	}
	return string(out), nil
}

// Host is where clients reach it.
func (n *Node) Host() string { return "127.0.0.1:" + strconv.Itoa(n.Settings.AMQP) }

// URL leads to the node's default virtual host.
func (n *Node) URL() string { return "amqp://guest:guest@" + n.Host() + "/" }

// Ready waits until clients can log in.
func (n *Node) Ready(ctx context.Context) error {
	config := rabbit.Config{URL: func(context.Context) (string, error) { return n.URL(), nil }}
	return n.await(ctx, func(ctx context.Context) error {
		_, err := rabbit.Ping(ctx, config)
		return err
	})
}

// Environment is what the node's programs are told.
func (s NodeSettings) Environment() []string {
	return []string{
		"HOME=" + s.Dir, // Erlang makes its cookie here
		"RABBITMQ_NODENAME=" + s.Name,
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(s.Distribution),
		"RABBITMQ_CONF_ENV_FILE=" + filepath.Join(s.Dir, "env.conf"),
		"RABBITMQ_CONFIG_FILE=" + filepath.Join(s.Dir, "rabbitmq.conf"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + filepath.Join(s.Dir, "advanced.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(s.Dir, "enabled_plugins"),
		"RABBITMQ_MNESIA_BASE=" + filepath.Join(s.Dir, "mnesia"),
		"RABBITMQ_LOG_BASE=" + filepath.Join(s.Dir, "log"),
		// The start script becomes the node instead of waiting for it, so that a signal
		// hits the node itself.
		"RABBITMQ_ALLOW_INPUT=true",
		"RABBITMQ_SERVER_START_ARGS=-noinput",
		"ERL_EPMD_PORT=" + strconv.Itoa(s.Mapper),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"ERL_FLAGS=-kernel inet_dist_use_interface {127,0,0,1}",
	}
}
