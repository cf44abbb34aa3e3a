package app

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"go.example/saga/pkg/outbox/outboxpg"
)

// It is told once that no relay serves the outbox, in the log, as a metric and by readiness,
// which it does not end.
func TestAWantOfRelaysIsTold(t *testing.T) {
	t.Parallel()
	core, logged := observer.New(zap.InfoLevel)
	registry := prometheus.NewRegistry()
	s := WatchService(registry, outboxpg.New(nil, ""), zap.New(core))
	var trouble error
	handler := healthHandler(s.Ready(func() error { return trouble }), []Endpoint{MetricsEndpoint(registry, zap.NewNop())})
	get := func(path string) (int, string) {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		return answer.Code, answer.Body.String()
	}
	expect := func(metric, readiness string, lines ...string) {
		t.Helper()
		_, text := get("/metrics")
		require.Contains(t, text, metric)
		status, text := get("/readyz")
		require.Equal(t, http.StatusOK, status)
		require.Regexp(t, readiness, text)
		var messages []string
		for _, entry := range logged.TakeAll() {
			messages = append(messages, entry.Level.String()+" "+entry.Message)
		}
		require.Equal(t, lines, messages)
	}
	const unserved, served = "saga_outbox_unserved 1\n", "saga_outbox_unserved 0\n"
	_, text := get("/metrics")
	require.NotContains(t, text, "saga_outbox_unserved")
	s.note(nil)
	expect(served, "^ok\n$")
	s.note(outboxpg.ErrUnserved)
	s.note(outboxpg.ErrUnserved)
	expect(unserved, "^ok\nno relay serves the outbox", "warn messages wait for a relay")
	s.note(errors.New("away"))
	s.note(errors.New("away"))
	expect(unserved, "^ok\nno relay serves the outbox", "warn whether a relay serves the outbox cannot be asked")
	s.note(nil)
	expect(served, "^ok\n$", "info a relay serves the outbox again")

	s.note(outboxpg.ErrUnserved)
	trouble = errors.New("the database is away")
	status, text := get("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "the database is away\n", text)

	page, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	require.Contains(t, string(page), "| `saga_outbox_unserved` |")
}
