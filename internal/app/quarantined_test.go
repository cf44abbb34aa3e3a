package app

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/inbox/quarantine"
	sagasql "go.example/saga/sql"
)

// What waits is counted by consumer and kind of reason, what was handled is not, and what
// was known stays while the database cannot be asked.
func TestWhatWasSetAsideIsCounted(t *testing.T) {
	t.Parallel()
	db, log := testenv.Database(t, sagasql.Inbox), zaptest.NewLogger(t)
	_, err := db.Exec(t.Context(), `INSERT INTO inbox_quarantine
		(consumer, queue, code, reason, state, retry_at, handled_at, handled_by, exchange, routing_key, properties, headers, body, message_sha256, received_at)
		SELECT 'hotel', 'q', CASE WHEN n < 4 THEN 'failing' ELSE 'undecodable' END, 'why ' || n, CASE n WHEN 5 THEN 'discarded' WHEN 4 THEN 'dead' ELSE 'held' END,
		       CASE WHEN n < 4 THEN now() END,
		       now(), 'ada', '', '', '{}', '{}', '', '', now() - interval '1 hour' FROM generate_series(1, 5) AS n`)
	require.NoError(t, err)
	registry := prometheus.NewRegistry()
	q := &quarantined{store: &quarantine.Store{DB: db}, log: log}
	registry.MustRegister(q)
	scrape := func() string {
		q.look(t.Context())
		answer := httptest.NewRecorder()
		MetricsEndpoint(registry, log).Handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return answer.Body.String()
	}
	text := scrape()
	require.Contains(t, text, `saga_inbox_quarantined_messages{consumer="hotel",reason="failing",state="held"} 3`)
	require.Contains(t, text, `saga_inbox_quarantined_messages{consumer="hotel",reason="undecodable",state="dead"} 1`)
	require.Regexp(t, `saga_inbox_quarantined_oldest_age_seconds{consumer="hotel",reason="failing",state="held"} 3[67]\d\d`, text)
	_, err = db.Exec(t.Context(), `ALTER TABLE inbox_quarantine RENAME TO away`)
	require.NoError(t, err)
	require.Equal(t, text, scrape())

	page, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	for _, name := range []string{"saga_inbox_quarantined_messages", "saga_inbox_quarantined_oldest_age_seconds"} {
		require.Contains(t, string(page), "| `"+name+"` |")
	}
}
