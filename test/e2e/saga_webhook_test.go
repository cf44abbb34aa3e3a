package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/saga"
	"go.example/saga/pkg/webhook"
)

const withWebhook = `
name: trip
version: 1
webhooks: [shop]
steps:
  - name: seat
`

// receiver is somebody outside. It answers as a test says, and keeps what it gets.
type receiver struct {
	url    string
	mu     sync.Mutex
	status int
	got    []told
}

type told struct {
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: http.StatusNoContent}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, told{req.Header.Clone(), body})
		w.WriteHeader(r.status)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL + "/sagas"
	return r
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) all() []told {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]told(nil), r.got...)
}

func (s *stage) await(what string, condition func() bool) {
	s.Helper()
	require.Eventually(s, condition, patience, 10*time.Millisecond, what)
}

// webhooks makes one for the receiver.
func (s *stage) webhook(name string, r *receiver) (all *webhook.Store, key string) {
	s.Helper()
	s.roles.Run(s, s.sagas, "Webhooks")
	all = webhook.In(s.sagas, "")
	key, err := all.Add(s.Context(), name, r.url)
	require.NoError(s, err)
	return all, key
}

// verified is the body of what was told, if an independent implementation finds it signed
// with the key.
func verified(t *testing.T, key string, got told) jsonmap.JSONMap {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(key)
	require.NoError(t, err)
	require.NoError(t, wh.Verify(got.body, got.header))
	object, err := jsonmap.Parse(got.body)
	require.NoError(t, err)
	return object
}

// Who started the saga is told its end, once, by the definition and by the start.
func TestAWebhookIsToldTheEnd(t *testing.T) {
	t.Parallel()
	s := set(t, withWebhook)
	shop, caller := newReceiver(t), newReceiver(t)
	all, shopKey := s.webhook("shop", shop)
	callerKey, err := all.Add(t.Context(), "caller", caller.url)
	require.NoError(t, err)
	s.webhooks = []string{"caller", "shop"}
	s.begin(jsonmap.JSONMap{"guest": "ann"})
	s.await("both are told", func() bool { return len(shop.all()) == 1 && len(caller.all()) == 1 })
	for key, r := range map[string]*receiver{shopKey: shop, callerKey: caller} {
		body := verified(t, key, r.all()[0])
		require.Equal(t, "trip.completed", body["type"])
		data, _ := json.Marshal(body["data"])
		event, err := jsonmap.Parse(data)
		require.NoError(t, err)
		require.Equal(t, "K-1", event["businessKey"])
		require.Equal(t, "COMPLETED", event["status"])
		require.Equal(t, map[string]any{"guest": "ann"}, map[string]any(object(t, event["payload"])))
	}
	s.await("the calls are written down", func() bool {
		calls, err := all.Log(t.Context(), "", 10)
		return err == nil && len(calls) == 2 && calls[0].Delivered && calls[1].Delivered && *calls[0].Status == 204
	})
	require.Empty(t, s.column(`SELECT state FROM outbox_parked`))
}

func object(t *testing.T, v any) jsonmap.JSONMap {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	m, err := jsonmap.Parse(text)
	require.NoError(t, err)
	return m
}

// A receiver that is down for an hour, and more, is told once when it is back: always under
// the same id. An hour passes here by setting the times back.
func TestAWebhookWhoseReceiverIsDown(t *testing.T) {
	t.Parallel()
	s := set(t, withWebhook)
	shop := newReceiver(t)
	all, key := s.webhook("shop", shop)
	shop.answers(http.StatusInternalServerError)
	s.begin(nil)
	for calls := 1; calls <= 3; calls++ {
		s.await("it is called, and set aside again", func() bool {
			return len(shop.all()) == calls &&
				len(s.column(fmt.Sprintf(`SELECT 1::text FROM outbox_parked WHERE state = 'http' AND attempts = %d`, calls))) == 1
		})
		require.Equal(t, []string{"true"}, s.column(`SELECT (next_at - tried_at BETWEEN d * 0.89 AND d * 1.11)::text
			FROM outbox_parked, (SELECT ARRAY['5 s', '5 min', '30 min']::interval[]) AS p (all_of), LATERAL (SELECT all_of[attempts]) AS q (d)`))
		if calls == 3 {
			shop.answers(http.StatusOK)
		}
		_, err := s.sagas.Exec(t.Context(), `UPDATE outbox_parked SET next_at = clock_timestamp()`)
		require.NoError(t, err)
	}
	s.await("it is told", func() bool { return len(s.column(`SELECT 1::text FROM outbox_parked`)) == 0 })
	got := shop.all()
	require.Len(t, got, 4)
	for _, one := range got {
		require.Equal(t, got[0].header.Get("webhook-id"), one.header.Get("webhook-id"))
		verified(t, key, one)
	}
	log, err := all.Log(t.Context(), "shop", 10)
	require.NoError(t, err)
	require.Len(t, log, 4)
	require.True(t, log[0].Delivered)
	require.False(t, log[1].Delivered)
	require.Contains(t, *log[1].Error, "500")
}

// 410 Gone ends the calls; what was to be told waits for an operator.
func TestAWebhookWhoseReceiverIsGone(t *testing.T) {
	t.Parallel()
	s := set(t, withWebhook)
	shop := newReceiver(t)
	all, key := s.webhook("shop", shop)
	shop.answers(http.StatusGone)
	s.begin(nil)
	dead := func() []string {
		return s.column(`SELECT state || ' ' || reason FROM outbox_parked WHERE exchange = 'saga.webhook'`)
	}
	s.await("it is dead", func() bool { return len(dead()) == 1 && dead()[0] == "http_dead refused" })
	list, err := all.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Contains(t, *list[0].DisabledWhy, "410")
	require.EqualValues(t, 1, list[0].Dead)
	require.Equal(t, string(saga.StatusCompleted), s.status(), "the saga does not care")

	shop.answers(http.StatusOK)
	require.NoError(t, all.Enable(t.Context(), "shop"))
	former := key
	key, err = all.Rotate(t.Context(), "shop", 1<<40)
	require.NoError(t, err)
	n, err := all.Retry(t.Context(), "shop", "they are back")
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	s.await("it is told", func() bool { return len(dead()) == 0 })
	last := shop.all()[len(shop.all())-1]
	verified(t, key, last)
	verified(t, former, last)

	_, err = all.Test(t.Context(), "nobody", list[0].CreatedAt)
	require.NoError(t, err)
	s.await("there is none of that name", func() bool { return len(dead()) == 1 })
	require.Contains(t, s.column(`SELECT error FROM outbox_parked`)[0], "orchestrator webhook add")
}

// column is the one of a query in the sagas' database.
func (s *stage) column(query string) []string {
	s.Helper()
	rows, err := s.sagas.Query(s.Context(), query)
	require.NoError(s, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(s, err)
	return all
}
