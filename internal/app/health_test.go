package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
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
