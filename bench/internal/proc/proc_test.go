package proc

import (
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	// Command, state, parent, eight fields, then the four times.
	stat, err := parseStat("42 (a) b (c)) S 7 1 1 0 -1 4194560 10 20 0 0 150 50 30 20 20 0 1 0\n")
	require.NoError(t, err)
	require.Equal(t, Stat{Command: "a) b (c)", Parent: 7, CPU: 2 * time.Second, Reaped: 500 * time.Millisecond}, stat)
	for _, text := range []string{"", "42 a S 7", "42 (a) S 7 1 1", "42 (a) S x 1 1 0 -1 1 1 1 1 1 1 1 1 1 1", "42 (a) S 7 1 1 0 -1 1 1 1 1 1 1 1 y 1 1"} {
		_, err := parseStat(text)
		require.Error(t, err, text)
	}
}

func TestParsePeak(t *testing.T) {
	t.Parallel()
	peak, err := parsePeak("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t  2048 kB\nVmRSS:\t 1 kB\n")
	require.NoError(t, err)
	require.EqualValues(t, 2<<20, peak)
	for _, status := range []string{"Name:\tx\n", "VmHWM:\t x kB\n"} {
		_, err := parsePeak(status)
		require.Error(t, err, status)
	}
}

func TestListening(t *testing.T) {
	t.Parallel()
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0000 100 0 0 10 0
   1: 0100007F:1538 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 222 1 0000 100 0 0 10 0
   2: 00000000:1628 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0000 100 0 0 10 0
`
	require.Equal(t, []string{"socket:[111]"}, listening(table, 5432))
	require.Empty(t, listening(table, 80))
}

func TestListenerIsThisProcess(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := listener.Addr().(*net.TCPAddr).Port
	pid, err := Listener(port)
	require.NoError(t, err)
	require.Equal(t, os.Getpid(), pid)
	require.NoError(t, listener.Close())
	_, err = Listener(port)
	require.ErrorContains(t, err, "listens")
}

func TestUsageOfThisProcess(t *testing.T) {
	t.Parallel()
	stat, err := Read(os.Getpid())
	require.NoError(t, err)
	require.Equal(t, os.Getppid(), stat.Parent)
	before, err := CPU(os.Getpid())
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		for i := range 1 << 24 {
			_ = i * i
		}
		after, err := CPU(os.Getpid())
		return err == nil && after > before
	}, 10*time.Second, time.Millisecond)
	peak, err := PeakMemory(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, peak, int64(1<<20))
}

// What a child used is counted while it runs and after it has ended.
func TestFamilyOutlivesItsChildren(t *testing.T) {
	t.Parallel()
	child := exec.Command("sh", "-c", `i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read x`)
	in, err := child.StdinPipe()
	require.NoError(t, err)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	_, err = out.Read(make([]byte, 8))
	require.NoError(t, err)
	alone, err := CPU(child.Process.Pid)
	require.NoError(t, err)
	require.Positive(t, alone)
	alive, err := FamilyCPU(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, in.Close())
	_ = child.Wait() // its read fails, as it should
	ended, err := FamilyCPU(os.Getpid())
	require.NoError(t, err)
	require.GreaterOrEqual(t, ended, alive)
	stat, err := Read(os.Getpid())
	require.NoError(t, err)
	require.GreaterOrEqual(t, stat.Reaped, alone)
}

func TestNoSuchProcess(t *testing.T) {
	t.Parallel()
	const none = 1 << 30
	_, err := Read(none)
	require.Error(t, err)
	_, err = FamilyCPU(none)
	require.Error(t, err)
	_, err = PeakMemory(none)
	require.Error(t, err)
}
