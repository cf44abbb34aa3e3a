package fault

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Some tests break a whole server, so they run one of their own, from the programs of
// Debian's packages. Where those are not installed they are skipped, but in CI they fail.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("starting servers takes seconds")
	}
	for _, program := range programs {
		_, err := exec.LookPath(program)
		if err != nil && os.Getenv("CI") == "" {
			t.Skipf("install PostgreSQL and rabbitmq-server from the distribution's packages to run this: %v", err)
		}
		require.NoError(t, err)
	}
}

// ownDir is a directory for a server's data, gone when the test ends.
func ownDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "saga-fault-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// freePort is one that nobody listens on at the moment.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

// server is the process of a server.
type server struct {
	*testing.T
	command func() *exec.Cmd
	log     string
	cmd     *exec.Cmd
}

// run starts it. It is killed when the test ends, if it has not ended before.
func (s *server) run() {
	s.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(s, err)
	defer func() { _ = log.Close() }()
	s.cmd = s.command()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	require.NoError(s, s.cmd.Start())
	s.Cleanup(func() { s.end(syscall.SIGKILL) })
}

// end ends it by a signal and waits; it may have ended already.
func (s *server) end(signal syscall.Signal) {
	s.Helper()
	if err := s.cmd.Process.Signal(signal); !errors.Is(err, os.ErrProcessDone) {
		require.NoError(s, err)
		_ = s.cmd.Wait() // the signal shows in the error
	}
}

// asPostgres lets a command run as the user that PostgreSQL wants: not as root.
func asPostgres(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	cmd.SysProcAttr = attributes()
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	cmd.Dir = "/"
	if os.Geteuid() != 0 {
		return cmd
	}
	uid, gid := postgresUser(t)
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return cmd
}

func postgresUser(t *testing.T) (uid, gid int) {
	t.Helper()
	account, err := user.Lookup("postgres")
	require.NoError(t, err)
	uid, err = strconv.Atoi(account.Uid)
	require.NoError(t, err)
	gid, err = strconv.Atoi(account.Gid)
	require.NoError(t, err)
	return uid, gid
}

// postgresProgram is a program of the newest server that is installed.
func postgresProgram(name string) string {
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // the pattern is a good one
	newest, best := 0, name
	for _, path := range installed {
		if version, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))); err == nil && version > newest {
			newest, best = version, path
		}
	}
	return best
}
