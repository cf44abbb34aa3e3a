package services

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// stubDocker puts a `docker` first on the PATH that writes down how it is called.
// No engine is needed to see which commands the set-up gives.
func stubDocker(t *testing.T, answers string) (calls func() string) {
	t.Helper()
	bin, log := t.TempDir(), filepath.Join(t.TempDir(), "calls")
	script := "#!/bin/sh\necho \"$@\" >>" + log + "\n" + answers
	require.NoError(t, os.WriteFile(filepath.Join(bin, "docker"), []byte(script), 0o755))
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return func() string {
		text, err := os.ReadFile(log)
		require.NoError(t, err)
		return string(text)
	}
}

func TestComposeStartsOneServiceAndStopsOnlyThat(t *testing.T) {
	calls := stubDocker(t, `case "$*" in *" port rabbitmq 5672") echo 127.0.0.1:33333 ;; esac`)
	dir := t.TempDir()
	c := &compose{dir: dir, report: t.Logf}
	address, err := c.address(t.Context(), true, "rabbitmq", "5672")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:33333", address)
	file := filepath.Join(dir, composeFile)
	require.Contains(t, calls(), "compose -f "+file+" up --detach --wait rabbitmq\n")

	require.NoError(t, c.down(t.Context()))
	require.Contains(t, calls(), "compose -f "+file+" rm --stop --force rabbitmq\n")
	require.NotContains(t, calls(), "--force postgres")
	require.False(t, c.ours("rabbitmq"))
}

func TestComposeLeavesWhatSomebodyElseStarted(t *testing.T) {
	calls := stubDocker(t, `case "$*" in *" ps --all --quiet postgres") echo 0123456789ab ;; *" port "*) echo 127.0.0.1:5432 ;; esac`)
	c := &compose{dir: t.TempDir(), report: t.Logf}
	_, err := c.address(t.Context(), true, "postgres", "5432")
	require.NoError(t, err)
	require.NoError(t, c.down(t.Context()))
	require.NotContains(t, calls(), " rm ")
}

func TestComposeNeedsAnEngine(t *testing.T) {
	stubDocker(t, `[ "$1" = info ] && { echo "Cannot connect to the Docker daemon" >&2; exit 1; }`)
	_, err := (&compose{dir: t.TempDir(), report: t.Logf}).address(t.Context(), true, "postgres", "5432")
	require.EqualError(t, err, "no docker engine answers: Cannot connect to the Docker daemon")
}

// Docker binds the port itself: what was free a moment ago may be taken.
func TestComposeLeavesATakenPortToTheEngine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, taken.Close()) }()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)
	stubDocker(t, `case "$*" in *" up "*) [ "$RABBITMQ_PORT" = 0 ] || exit 1 ;; *" port "*) echo 127.0.0.1:33333 ;; esac`)
	c := &compose{dir: t.TempDir(), report: t.Logf}
	for range 2 { // the second time it is known
		address, err := c.address(t.Context(), true, "rabbitmq", port)
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1:33333", address)
	}
}

func TestComposeForgetsWhatItCouldNotMake(t *testing.T) {
	stubDocker(t, `case "$*" in *" up "*) exit 1 ;; esac`)
	c := &compose{dir: t.TempDir(), report: t.Logf}
	_, err := c.address(t.Context(), true, "rabbitmq", "5672")
	require.ErrorContains(t, err, "docker compose up rabbitmq")
	require.False(t, c.ours("rabbitmq"), "what somebody makes later is not ours to remove")
}

func TestComposeDoesNotGuessWhoseItIs(t *testing.T) {
	calls := stubDocker(t, `case "$*" in *" ps "*) exit 1 ;; esac`)
	c := &compose{dir: t.TempDir(), report: t.Logf}
	_, err := c.address(t.Context(), true, "rabbitmq", "5672")
	require.ErrorContains(t, err, "docker compose ps rabbitmq")
	require.NotContains(t, calls(), " up ")
	require.False(t, c.ours("rabbitmq"))
}
