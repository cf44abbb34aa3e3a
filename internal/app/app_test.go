package app

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"go.example/saga/internal/config"
	"go.example/saga/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func at(url string) Address {
	return func() (config.Secret, error) { return config.Secret(url), nil }
}

func TestLoggerNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, good := range [][2]string{{"", ""}, {"debug", "console"}, {"error", "json"}} {
		_, err := Logger(good[0], good[1])
		require.NoError(t, err)
	}
	_, err := Logger("loud", "json")
	require.ErrorContains(t, err, `LOG_LEVEL "loud"`)
	_, err = Logger("info", "xml")
	require.ErrorContains(t, err, `LOG_FORMAT "xml"`)
}

func TestPoolErrorsHideThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://svc:s3cr%tPW@127.0.0.1:5432/db",
		"postgres://svc:s3cretPW@127.0.0.1:port/db",
		"postgres://svc:s3cretPW@127.0.0.1:5432/db?sslmode=nonsense",
		"host=127.0.0.1 password=s3cretPW port=x",
	} {
		_, err := OpenPool(t.Context(), at(url), "test", 1)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "s3cr")
		require.NotContains(t, err.Error(), "tPW")
	}
	pool, err := OpenPool(t.Context(), at("postgres://svc:s3cretPW@127.0.0.1:1/db?connect_timeout=1"), "test", 1)
	require.NoError(t, err, "the database need not be up")
	defer pool.Close()
	err = pool.Ping(t.Context())
	require.Error(t, err)
	require.NotContains(t, err.Error(), "s3cretPW")
}

func TestPoolBoundsItsSessions(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t).Config().ConnString()
	pool, err := OpenPool(t.Context(), at(url), "some-daemon", 1)
	require.NoError(t, err)
	defer pool.Close()
	for setting, want := range map[string]string{
		"application_name": "some-daemon", "statement_timeout": "30s",
		"idle_in_transaction_session_timeout": "10s", "lock_timeout": "10s",
	} {
		var got string
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT current_setting($1)`, setting).Scan(&got))
		require.Equal(t, want, got, setting)
	}
}

// freeAddr is an address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	return listener.Addr().String()
}

func TestHealth(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	ctx, cancel := context.WithCancel(t.Context())
	reason := make(chan error, 1)
	reason <- errors.New("no session with the broker")
	ready := func() error {
		select {
		case err := <-reason:
			return err
		default:
			return nil
		}
	}
	served := make(chan error, 1)
	go func() { served <- ServeHealth(ctx, addr, ready, zap.NewNop()) }()
	var first error
	require.Eventually(t, func() bool {
		first = CheckHealth(t.Context(), addr)
		return first != nil && first.Error() == "not ready: no session with the broker"
	}, 5*time.Second, 5*time.Millisecond)
	require.NoError(t, CheckHealth(t.Context(), addr))
	cancel()
	require.NoError(t, <-served)
	require.Error(t, CheckHealth(t.Context(), addr))
}

func TestHealthIsOptional(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, ServeHealth(ctx, "", nil, zap.NewNop()))
	require.ErrorContains(t, CheckHealth(t.Context(), ""), "HEALTH_ADDR")
	require.ErrorContains(t, CheckHealth(t.Context(), "9090"), "host:port")
}

func TestRunStopsAllWithTheFirstError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	err := Run(t.Context(),
		func(context.Context) error { return broken },
		func(ctx context.Context) error { <-ctx.Done(); return nil },
	)
	require.ErrorIs(t, err, broken)
}

func TestARemarkLeavesTheDaemonReady(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- ServeHealth(ctx, addr, func() error { return &Remark{errors.New("upkeep fails")} }, zap.NewNop())
	}()
	require.Eventually(t, func() bool { return CheckHealth(t.Context(), addr) == nil }, 5*time.Second, 5*time.Millisecond)
	res, err := http.Get("http://" + addr + "/readyz")
	require.NoError(t, err)
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "ok\nupkeep fails\n", string(text))
	cancel()
	require.NoError(t, <-served)
}
