package admin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"go.example/saga/internal/app/orchestrator/admin"
)

// request asks for the description, which needs no database.
func request(host, authorization string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, admin.Sagas, http.NoBody)
	r.Host = host
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r
}

func TestWhoMayCall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token, host, authorization string
		status                     int
	}{
		"token":             {secret, "saga.example", "Bearer " + secret, 200},
		"scheme's case":     {secret, "saga.example", "bearer " + secret, 200},
		"no token":          {secret, "localhost", "", 401},
		"other token":       {secret, "localhost", "Bearer " + secret + "x", 401},
		"part of it":        {secret, "localhost", "Bearer " + secret[:5], 401},
		"other scheme":      {secret, "localhost", "Basic " + secret, 401},
		"token alone":       {secret, "localhost", secret, 401},
		"this machine":      {"", "127.0.0.1:8090", "", 200},
		"this machine, v6":  {"", "[::1]:8090", "", 200},
		"localhost":         {"", "localhost:8090", "", 200},
		"localhost alone":   {"", "localhost", "", 200},
		"a page's own name": {"", "evil.example:8090", "", 403},
		"no host":           {"", "", "", 403},
	} {
		answer := httptest.NewRecorder()
		handler := admin.Handler(nil, func() (string, error) { return c.token, nil }, zap.NewNop())
		r := request(c.host, c.authorization)
		r.URL.Path = "/openapi.json"
		handler.ServeHTTP(answer, r)
		require.Equal(t, c.status, answer.Code, name)
		require.Equal(t, c.status == http.StatusUnauthorized, answer.Header().Get("WWW-Authenticate") == "Bearer", name)
	}
}

// A page in the operator's browser may not call what only his machine reaches.
func TestPagesMayNotCall(t *testing.T) {
	t.Parallel()
	handler := admin.Handler(nil, func() (string, error) { return "", nil }, zap.NewNop())
	for _, header := range []string{"Origin", "Sec-Fetch-Site"} {
		r := httptest.NewRequest(http.MethodPost, admin.Bulk, http.NoBody)
		r.Host = "127.0.0.1:8090"
		r.Header.Set(header, map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}[header])
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		require.Equal(t, http.StatusForbidden, answer.Code, header)
		require.Equal(t, "application/problem+json", answer.Header().Get("Content-Type"))
	}
}

func TestATokenThatCannotBeReadLetsNobodyIn(t *testing.T) {
	t.Parallel()
	answer := httptest.NewRecorder()
	broken := func() (string, error) { return "", errors.New("no such file") }
	admin.Handler(nil, broken, zap.NewNop()).ServeHTTP(answer, request("localhost", "Bearer "))
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
}
