package fault

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/app"
	"go.example/saga/internal/dev/services"
)

// relayProcess is a real `relay run`, which a test may kill, freeze and wake.
type relayProcess struct {
	*testing.T
	program string
	env     []string
	addr    string   // of its health port
	socket  *os.File // of that port; each process inherits it
	log     string   // what all its processes wrote
	cmd     *exec.Cmd
	exited  chan struct{}
}

// startRelay runs the relay with these settings until the test ends. Then it has to
// stop in order.
func startRelay(t *testing.T, settings ...string) *relayProcess {
	t.Helper()
	program, err := relayProgram()
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	socket, err := listener.(*net.TCPListener).File()
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	t.Cleanup(func() { _ = socket.Close() })
	p := &relayProcess{
		T: t, program: program, addr: listener.Addr().String(), socket: socket, log: filepath.Join(t.TempDir(), "relay.log"),
	}
	p.env = append([]string{"PATH=" + os.Getenv("PATH"), "HEALTH_ADDR=fd:3", "LOG_FORMAT=console"}, settings...)
	p.start()
	t.Cleanup(func() {
		select {
		case <-p.exited: // as the test wanted
		default:
			p.wake()
			if t.Failed() {
				p.signal(syscall.SIGQUIT) // with what its goroutines are at
				<-p.exited
				break
			}
			p.stop()
		}
		if text, err := os.ReadFile(p.log); t.Failed() {
			t.Logf("relay %d (%v):\n%s", p.pid(), err, text[max(0, len(text)-32<<10):])
		}
	})
	return p
}

// relayProgram builds the relay once a process.
var relayProgram = sync.OnceValues(func() (string, error) {
	root, err := services.Root()
	if err != nil {
		return "", err
	}
	program := filepath.Join(root, ".local", "fault-bin", "relay")
	build := exec.Command("go", "build", "-o", program, "./cmd/relay")
	build.Dir, build.Env, build.Stderr = root, append(os.Environ(), "CGO_ENABLED=0"), os.Stderr
	return program, build.Run()
})

func (p *relayProcess) start() {
	p.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(p, err)
	defer func() { _ = log.Close() }() // the process has its own copy
	cmd := exec.Command(p.program, "run")
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = p.env, log, log, attributes()
	cmd.ExtraFiles = []*os.File{p.socket}
	require.NoError(p, cmd.Start())
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // how it ended is read from ProcessState
	}()
	p.cmd, p.exited = cmd, exited
}

func (p *relayProcess) pid() int { return p.cmd.Process.Pid }

func (p *relayProcess) signal(s syscall.Signal) {
	p.Helper()
	require.NoError(p, p.cmd.Process.Signal(s))
}

func (p *relayProcess) freeze() { p.signal(syscall.SIGSTOP) }
func (p *relayProcess) wake()   { p.signal(syscall.SIGCONT) }

// kill ends it as a crash does.
func (p *relayProcess) kill() {
	p.Helper()
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// stop ends it as an operator does: in time, and with exit code 0.
func (p *relayProcess) stop() {
	p.Helper()
	const grace = 20 * time.Second
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
		require.Zero(p, p.cmd.ProcessState.ExitCode(), p.cmd.ProcessState)
	case <-time.After(grace):
		p.kill()
		p.Errorf("relay %d did not stop within %v of SIGTERM", p.pid(), grace)
	}
}

// awaitHealthy waits until it is ready.
func (p *relayProcess) awaitHealthy() {
	p.Helper()
	require.Eventually(p, func() bool { return p.health() == nil }, patience, 20*time.Millisecond, "the relay is ready")
}

// awaitTrouble waits until it says that it is not ready, and why.
func (p *relayProcess) awaitTrouble(reason string) {
	p.Helper()
	require.Eventually(p, func() bool {
		err := p.health()
		return err != nil && strings.Contains(err.Error(), reason)
	}, patience, 20*time.Millisecond, reason)
}

func (p *relayProcess) health() error { return app.CheckHealth(context.Background(), p.addr) }
