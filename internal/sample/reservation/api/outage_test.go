package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"go.example/saga/internal/sample/reservation"
	"go.example/saga/internal/sample/reservation/api"
	"go.example/saga/internal/testenv"
)

// behindProxy lets the bench's requests reach the database through a proxy only.
func behindProxy(t *testing.T, b *bench) *testenv.Proxy {
	t.Helper()
	proxy := testenv.StartProxy(t, b.db.Config().ConnString())
	pool, err := pgxpool.New(context.Background(), proxy.URL)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	service := reservation.NewService(pool, "", testenv.Service)
	_, err = service.LoadDefinition(context.Background())
	require.NoError(t, err)
	b.handler = api.Handler(service, api.Parts{Within: time.Minute}, zap.NewNop())
	return proxy
}

func requireTryLater(t *testing.T, res *httptest.ResponseRecorder) {
	t.Helper()
	require.Equal(t, http.StatusServiceUnavailable, res.Code, res.Body)
	require.Equal(t, "application/problem+json", res.Header().Get("Content-Type"))
	require.NotEmpty(t, res.Header().Get("Retry-After"))
}

func TestDatabaseThatIsAwayIsNoInternalError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	proxy := behindProxy(t, b)
	body := fmt.Sprintf(valid, "************7999")
	require.Equal(t, http.StatusAccepted, b.post(body, "Idempotency-Key", "first").Code)
	proxy.Cut() // the pool does not know it yet
	requireTryLater(t, b.post(body, "Idempotency-Key", "second"))
	require.Equal(t, http.StatusAccepted, b.post(body, "Idempotency-Key", "second").Code)
	proxy.Down()
	for range 3 {
		requireTryLater(t, b.post(body, "Idempotency-Key", "third"))
	}
	proxy.Heal()
	require.Equal(t, http.StatusAccepted, b.post(body, "Idempotency-Key", "third").Code)
	require.Equal(t, [4]int{3, 3, 3, 3}, b.rows(t))
}

// The connection breaks while the request's transaction is at work.
func TestDatabaseThatGoesAwayDuringARequest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	proxy := behindProxy(t, b)
	ctx := context.Background()
	tx, err := b.db.Begin(ctx)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(ctx) }() // for a test that fails: its pool would wait for ever
	_, err = tx.Exec(ctx, `LOCK TABLE outbox`)
	require.NoError(t, err)
	body := fmt.Sprintf(valid, "************7999")
	answer := make(chan *httptest.ResponseRecorder)
	go func() { answer <- b.post(body, "Idempotency-Key", "key") }()
	require.Eventually(t, func() bool {
		var waiting bool
		err := b.db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
		return err == nil && waiting
	}, 20*time.Second, 5*time.Millisecond)
	proxy.Cut()
	requireTryLater(t, <-answer)
	require.NoError(t, tx.Rollback(ctx))

	require.Equal(t, http.StatusAccepted, b.post(body, "Idempotency-Key", "key").Code)
	require.Equal(t, [4]int{1, 1, 1, 1}, b.rows(t))
}
