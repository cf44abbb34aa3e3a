package orchestrator

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"go.example/saga/internal/testenv"
	engine "go.example/saga/pkg/saga/orchestrator"
	"go.example/saga/pkg/saga/sagapg"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const secret = "a token of some length"

func settings(change func(*Settings)) Settings {
	s := DefaultSettings()
	s.DatabaseURL = "postgres://x/y"
	change(&s)
	return s
}

// The interface for operators is not left open to a network by mistake.
func TestAdminSettings(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"": true, "127.0.0.1:8090": true, "127.1.2.3:0": true, "[::1]:8090": true, "localhost:8090": true,
		":8090": false, "0.0.0.0:8090": false, "[::]:8090": false, "10.0.0.7:8090": false, "saga.example:8090": false,
	} {
		s := settings(func(s *Settings) { s.AdminAddress = address })
		err := s.Validate()
		if ok {
			require.NoError(t, err, address)
			continue
		}
		require.ErrorContains(t, err, "ADMIN_ADDRESS "+address+" can be reached from other machines: set ADMIN_TOKEN_FILE or ADMIN_TOKEN")
		s.AdminToken = secret
		require.NoError(t, s.Validate(), address)
		s.AdminToken, s.AdminTokenFile = "", "/run/secrets/token"
		require.NoError(t, s.Validate(), address)
	}
	for want, change := range map[string]func(*Settings){
		"is not host:port": func(s *Settings) { s.AdminAddress = "8090" },
		"both set":         func(s *Settings) { s.AdminToken, s.AdminTokenFile = secret, "f" },
	} {
		s := settings(change)
		require.ErrorContains(t, s.Validate(), want)
	}
}

func TestAdminToken(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	s := settings(func(s *Settings) { s.AdminTokenFile = file })
	_, err := s.adminToken()
	require.ErrorContains(t, err, "ADMIN_TOKEN_FILE")
	for text, want := range map[string]string{secret: secret, secret + "\n": secret, "": "the file is empty", "  \n": "the file is empty", "short": "has 5 bytes"} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		token, err := s.adminToken()
		if err != nil {
			require.ErrorContains(t, err, want)
			continue
		}
		require.Equal(t, want, token)
	}
	s = settings(func(s *Settings) { s.AdminToken = "short" })
	_, err = s.adminToken()
	require.ErrorContains(t, err, "want at least 16")
	require.NotContains(t, err.Error(), "short")
	s = settings(func(*Settings) {})
	token, err := s.adminToken()
	require.NoError(t, err)
	require.Empty(t, token)
}

// The interface is served on its address to who sends the token as it is now, and ends
// with the daemon.
func TestServeAdmin(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(secret), 0o600))
	db := testenv.Database(t, sagasql.Outbox, sagasql.Saga)
	e, err := engine.New(engine.Config{DB: db, Store: sagapg.New("", testenv.Service)})
	require.NoError(t, err)
	s := settings(func(s *Settings) { s.AdminAddress, s.AdminTokenFile = freeAddr(t), file })
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serveAdmin(ctx, s, e, zap.NewNop()) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(token string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.AdminAddress+"/api/v1/sagas", http.NoBody)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := client.Do(req)
		if err != nil {
			return 0, ""
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, strings.TrimSpace(string(text))
	}
	require.Eventually(t, func() bool { status, _ := get(secret); return status == http.StatusOK }, 20*time.Second, 20*time.Millisecond)
	_, text := get(secret)
	require.JSONEq(t, `{"sagas": []}`, text)
	status, _ := get("wrong")
	require.Equal(t, http.StatusUnauthorized, status)
	require.NoError(t, os.WriteFile(file, []byte("another token of some length"), 0o600))
	status, _ = get(secret)
	require.Equal(t, http.StatusUnauthorized, status)
	status, _ = get("another token of some length")
	require.Equal(t, http.StatusOK, status)
	stop()
	require.NoError(t, <-served)
}

func TestServeAdminSaysAtOnceWhatIsWrong(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	s := settings(func(s *Settings) { s.AdminAddress = taken.Addr().String() })
	require.ErrorContains(t, serveAdmin(t.Context(), s, nil, zap.NewNop()), "ADMIN_ADDRESS")
	s.AdminTokenFile = filepath.Join(t.TempDir(), "missing")
	require.ErrorContains(t, serveAdmin(t.Context(), s, nil, zap.NewNop()), "ADMIN_TOKEN_FILE")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, serveAdmin(over, settings(func(*Settings) {}), nil, zap.NewNop()), "off unless it has an address")
}

// freeAddr is an address on which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
