package webhook

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"go.example/saga/internal/testenv"
	"go.example/saga/pkg/httpcall"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/desk"
	"go.example/saga/pkg/outbox/relay"
	"go.example/saga/pkg/protocol"
	sagasql "go.example/saga/sql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestScheduleIsThatOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	total := time.Duration(0)
	for failures := 1; failures <= len(schedule); failures++ {
		least, over := next(failures, 0, 0)
		require.False(t, over)
		most, _ := next(failures, 0, 0.999)
		require.InDelta(t, float64(schedule[failures-1])*0.9, float64(least), 1e6)
		require.Greater(t, most, schedule[failures-1])
		total += schedule[failures-1]
	}
	require.Equal(t, 75*time.Hour+35*time.Minute+5*time.Second, total)
	_, over := next(len(schedule)+1, 0, 0)
	require.True(t, over, "then it is for an operator")
	asked, _ := next(1, time.Hour, 0)
	require.Equal(t, time.Hour, asked)
	asked, _ = next(1, 100*time.Hour, 0)
	require.Equal(t, longest, asked)
}

// Both keys sign, and another implementation agrees; a changed body or time does not pass.
func TestSignatures(t *testing.T) {
	t.Parallel()
	keys := []string{NewKey(), NewKey()}
	body := []byte(`{"type":"trip.completed"}`)
	signed := func(at time.Time) http.Header {
		signature, err := sign(keys, "id-1", at, body)
		require.NoError(t, err)
		h := http.Header{}
		h.Set("webhook-id", "id-1")
		h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
		h.Set("webhook-signature", signature)
		return h
	}
	for _, key := range keys {
		wh, err := standardwebhooks.NewWebhook(key)
		require.NoError(t, err)
		require.NoError(t, wh.Verify(body, signed(time.Now())))
		require.Error(t, wh.Verify([]byte(`{}`), signed(time.Now())))
		require.Error(t, wh.Verify(body, signed(time.Now().Add(-time.Hour))))
	}
	other, err := standardwebhooks.NewWebhook(NewKey())
	require.NoError(t, err)
	require.Error(t, other.Verify(body, signed(time.Now())))
}

func database(t *testing.T) *Store {
	t.Helper()
	return In(testenv.Database(t, sagasql.Outbox, sagasql.Relay, sagasql.Saga), "")
}

// What must not be dialled is not, whatever the table says; and bad names and URLs do not
// come into it.
func TestWhoMustNotBeCalled(t *testing.T) {
	t.Parallel()
	pool := testenv.Database(t, sagasql.Outbox, sagasql.Relay, sagasql.Saga)
	all := In(pool, "")
	caller := NewCaller(pool, "", httpcall.Targets{}, zap.NewNop())
	t.Cleanup(caller.Close)
	for name, url := range map[string]string{
		"loopback": "http://127.0.0.1:9/", "name": "http://localhost:9/", "link": "http://169.254.169.254/latest", "v6": "http://[::1]:9/", "mapped": "http://[::ffff:10.0.0.1]/",
	} {
		_, err := all.Add(t.Context(), name, url)
		require.NoError(t, err)
		m := protocol.WebhookMessage(outbox.Message{Type: "trip.completed", Payload: []byte("{}")}, name, time.Now())
		call, _ := caller.Begin(&outbox.Record{Message: m}, relay.Before{Accepted: -1})
		got := call(t.Context())
		require.Equal(t, desk.Unreachable, got.Reason, name)
		require.Contains(t, got.Error, "private network or of this machine", name)
	}
	for _, bad := range [][2]string{
		{"a b", "http://x/"}, {"", "http://x/"}, {"x", "ftp://x/"}, {"x", "http://user:secret@x/"}, {"x", "x.example.com"}, {"x", "http://x/ y"}, {"x", "http://x/#y"},
	} {
		_, err := all.Add(t.Context(), bad[0], bad[1])
		require.ErrorIs(t, err, ErrInvalid, "%q", bad)
	}
}

func TestWebhooksAreKept(t *testing.T) {
	t.Parallel()
	all := database(t)
	first, err := all.Add(t.Context(), "shop", "https://shop.example.com/")
	require.NoError(t, err)
	_, err = all.Add(t.Context(), "shop", "https://other.example.com/")
	require.ErrorIs(t, err, ErrExists)
	second, err := all.Rotate(t.Context(), "shop", time.Hour)
	require.NoError(t, err)
	require.NotEqual(t, first, second)
	require.NoError(t, all.Disable(t.Context(), "shop", "moved"))
	require.NoError(t, all.Disable(t.Context(), "shop", "again"))
	list, err := all.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "moved", *list[0].DisabledWhy)
	require.NotNil(t, list[0].FormerUntil)
	require.NoError(t, all.Enable(t.Context(), "shop"))
	require.NoError(t, all.Remove(t.Context(), "shop"))
	for _, err := range []error{
		all.Enable(t.Context(), "shop"), all.Remove(t.Context(), "shop"), all.Disable(t.Context(), "shop", "x"),
		func() error { _, err := all.Rotate(t.Context(), "shop", time.Hour); return err }(),
	} {
		require.ErrorIs(t, err, ErrUnknown)
	}
}
