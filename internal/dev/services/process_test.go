package services

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func spawnSleep(t *testing.T, program string, args ...string) process {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("processes are told apart by /proc, on Linux only")
	}
	dir := t.TempDir()
	record, err := spawn(exec.Command(program, args...), filepath.Join(dir, "log"), filepath.Join(dir, "record.json"), 1234, syscall.SIGTERM)
	require.NoError(t, err)
	t.Cleanup(func() { syscall.Kill(-record.PID, syscall.SIGKILL) }) //nolint:errcheck // it may have ended
	read, err := readProcess(filepath.Join(dir, "record.json"))
	require.NoError(t, err)
	require.Equal(t, record, read)
	return record
}

func TestRecordedProcessIsAliveUntilStopped(t *testing.T) {
	t.Parallel()
	record := spawnSleep(t, "sleep", "600")
	require.True(t, record.alive())
	require.NoError(t, record.stop(t.Context()))
	require.False(t, record.alive())
}

func TestAnotherProcessWithTheSameIDIsNotOurs(t *testing.T) {
	t.Parallel()
	record := spawnSleep(t, "sleep", "600")
	ours := record.Born
	record.Born = "another boot:1"
	require.False(t, record.alive())
	require.NoError(t, record.stop(t.Context()))
	record.Born = ours
	require.True(t, record.alive(), "it was not stopped")
}

func TestAwaitNoticesThatTheProcessEnds(t *testing.T) {
	t.Parallel()
	record := spawnSleep(t, "sleep", "600")
	err := record.await(t.Context(), time.Minute, func() error {
		_ = syscall.Kill(record.PID, syscall.SIGKILL) // again and again: only the first one finds it
		return os.ErrNotExist
	})
	require.EqualError(t, err, "the process ended")
}

func TestStopLeavesNothingWhenTheSignalIsIgnored(t *testing.T) {
	t.Parallel()
	record := spawnSleep(t, "sh", "-c", `trap "" TERM; echo ready; while :; do sleep 600; done`)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	require.NoError(t, record.stop(ctx))
	require.Eventually(t, func() bool { return !record.alive() }, 10*time.Second, 20*time.Millisecond)
}
