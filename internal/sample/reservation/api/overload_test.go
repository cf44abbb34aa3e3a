package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// While too many sagas run new reservations are refused, before anything is written;
// what was placed before is found, and when sagas have ended the next one is taken.
func TestTooManyReservations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	core, said := observer.New(zap.InfoLevel)
	b.service.Bound(1, zap.New(core))
	soon := func(status int, key string) bool {
		res := b.post(fmt.Sprintf(valid, "************7999"), "Idempotency-Key", key)
		return res.Code == status
	}
	placed := b.post(fmt.Sprintf(valid, "************7999"), "Idempotency-Key", "first")
	require.Equal(t, http.StatusAccepted, placed.Code, placed.Body)
	n := 0
	require.Eventually(t, func() bool { n++; return soon(http.StatusServiceUnavailable, fmt.Sprint(n)) }, 20*time.Second, 10*time.Millisecond)
	rows := b.rows(t)

	for _, headers := range [][]string{nil, {"Idempotency-Key", "other"}} {
		refused := b.post(fmt.Sprintf(valid, "************7999"), headers...)
		require.Equal(t, http.StatusServiceUnavailable, refused.Code, refused.Body)
		require.Equal(t, "5", refused.Header().Get("Retry-After"))
		require.Equal(t, "application/problem+json", refused.Header().Get("Content-Type"))
		var problem struct{ Detail string }
		require.NoError(t, json.Unmarshal(refused.Body.Bytes(), &problem))
		require.Equal(t, "too many reservations are being carried out; nothing was stored", problem.Detail)
	}
	again := b.post(fmt.Sprintf(valid, "************7999"), "Idempotency-Key", "first")
	require.Equal(t, http.StatusAccepted, again.Code, again.Body)
	require.Equal(t, decode(t, placed), decode(t, again))
	other := b.post(with(t, "roomId", "3"), "Idempotency-Key", "first")
	require.Equal(t, http.StatusConflict, other.Code, other.Body)
	require.Equal(t, rows, b.rows(t))

	_, err := b.db.Exec(context.Background(), `UPDATE saga SET status = 'COMPLETED', step_status = '{}', waiting = '{}',
		current_step = NULL, wake_at = NULL, look_at = NULL, deadline = NULL, ended_at = now()`)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return soon(http.StatusAccepted, "last") }, 20*time.Second, 10*time.Millisecond)
	var told []string
	for _, line := range said.All() {
		told = append(told, line.Level.String()+" "+line.Message)
	}
	require.Equal(t, []string{"warn new reservations are refused until sagas have ended", "info new reservations are taken again"}, told)
}
