package app

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"go.example/saga/internal/address"
)

func TestHealthPortServesMore(t *testing.T) {
	t.Parallel()
	numbers := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "numbers") })
	handler := healthHandler(func() error { return nil }, []Endpoint{{"GET /metrics", numbers}})
	for path, want := range map[string]string{"/metrics": "numbers", "/livez": "ok\n", "/readyz": "ok\n"} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, http.StatusOK, answer.Code, path)
		require.Equal(t, want, answer.Body.String(), path)
	}
}

func TestReadinessIsScrubbed(t *testing.T) {
	t.Parallel()
	_, err := address.Brokers("amqp://me:scrubbedFromHealth@h/v")
	require.NoError(t, err)
	answer := httptest.NewRecorder()
	handler := healthHandler(func() error { return errors.New("denied: scrubbedFromHealth") }, nil)
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	require.Equal(t, "denied: ***\n", answer.Body.String())
}
