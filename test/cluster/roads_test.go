package cluster

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/dev/instance"
)

// roads are the ways to reach the cluster, and the address of each.
func (n *nodes) roads() []road {
	n.Helper()
	var hosts []string
	for _, node := range n.all {
		hosts = append(hosts, node.Host())
	}
	return []road{
		{name: "one address", address: hosts[0]},
		{name: "a list", address: strings.Join(hosts, ",")},
		{name: "haproxy", address: haproxy(n.T, hosts)},
	}
}

type road struct{ name, address string }

// proxyConfig is that of docs/operators.md, with shorter lines. A frozen node still accepts
// connections, since the kernel does: only who makes it speak AMQP sees it.
const proxyConfig = `defaults
  mode tcp
  timeout connect 2s
  timeout client 1h
  timeout server 1h
listen amqp
  bind 127.0.0.1:%d
  balance leastconn
  option tcp-check
  tcp-check connect
  tcp-check send-binary 414d515000000901
  tcp-check expect binary 01
  default-server check inter 1s fall 2 rise 2 on-marked-down shutdown-sessions
`

// haproxy puts haproxy before the hosts and returns its own.
func haproxy(t *testing.T, hosts []string) string {
	t.Helper()
	program, err := exec.LookPath("haproxy")
	if err != nil {
		program = "/usr/sbin/haproxy"
	}
	require.FileExists(t, program, "install haproxy: apt-get install haproxy")
	port, err := instance.FreePort()
	require.NoError(t, err)
	config := fmt.Sprintf(proxyConfig, port)
	for i, host := range hosts {
		config += fmt.Sprintf("  server n%d %s\n", i+1, host)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "haproxy.cfg")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	process := instance.Process{Log: filepath.Join(dir, "haproxy.log"), Command: func() *exec.Cmd {
		cmd := exec.Command(program, "-db", "-f", path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return cmd
	}}
	require.NoError(t, process.Start())
	t.Cleanup(func() { require.NoError(t, process.End(syscall.SIGTERM)) })
	host := fmt.Sprintf("127.0.0.1:%d", port)
	require.Eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", host, time.Second)
		return err == nil && conn.Close() == nil
	}, patience, 50*time.Millisecond, "haproxy listens, see %s", process.Log)
	return host
}
