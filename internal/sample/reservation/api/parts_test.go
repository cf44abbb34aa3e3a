package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"go.example/saga/internal/sample/reservation"
	"go.example/saga/internal/sample/reservation/api"
	"go.example/saga/internal/testenv"
)

// neighbour is a service that has a part and answers as it is told.
type neighbour struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
	asked  atomic.Pointer[string] // the latest path
}

func startNeighbour(t *testing.T) *neighbour {
	t.Helper()
	n := &neighbour{}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.asked.Store(&r.URL.Path)
		(*n.answer.Load())(w, r)
	}))
	t.Cleanup(n.Close)
	return n
}

func (n *neighbour) says(answer http.HandlerFunc) { n.answer.Store(&answer) }

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

// composing is a bench with neighbours and a reservation.
type composing struct {
	*bench
	hotel, payment *neighbour
	path, saga     string
}

func setupParts(t *testing.T, within time.Duration) *composing {
	t.Helper()
	c := &composing{bench: setup(t), hotel: startNeighbour(t), payment: startNeighbour(t)}
	c.hotel.says(text(`{"bookingId": "b"}`))
	c.payment.says(text(`{"chargeId": "c"}`))
	// A slash at the end of an address is nothing.
	parts := api.Parts{Hotel: c.hotel.URL, Payment: c.payment.URL + "/", Within: within}
	c.handler = api.Handler(c.service, parts, zap.New(zapcore.NewCore(
		zapcore.NewJSONEncoder(zap.NewDevelopmentEncoderConfig()), c.log, zap.DebugLevel)))
	res := c.post(fmt.Sprintf(valid, "************7999"))
	require.Equal(t, http.StatusAccepted, res.Code, res.Body)
	c.path = res.Header().Get("Location")
	require.NoError(t, c.db.QueryRow(context.Background(), `SELECT saga_id::text FROM reservation`).Scan(&c.saga))
	return c
}

func (c *composing) ask(query string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodGet, c.path+query, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return c.serve(req)
}

// composed is an answer as its reader sees it.
type composed struct {
	ReservationID string
	Parts         map[string]map[string]any
	Missing       []struct {
		Part, Why string
		Status    int
	}
}

func read(t *testing.T, res *httptest.ResponseRecorder) (body composed) {
	t.Helper()
	require.Equal(t, http.StatusOK, res.Code, res.Body)
	require.NoError(t, json.Unmarshal(res.Body.Bytes(), &body), res.Body)
	return body
}

func TestAnAnswerOfParts(t *testing.T) {
	t.Parallel()
	c := setupParts(t, time.Minute)
	for _, query := range []string{"?expand=booking,payment,saga", "?expand=booking&expand=saga,payment", "?expand=saga,payment,booking,saga"} {
		body := read(t, c.ask(query))
		require.Equal(t, map[string]any{"bookingId": "b"}, body.Parts["booking"])
		require.Equal(t, map[string]any{"chargeId": "c"}, body.Parts["payment"])
		require.Equal(t, c.saga, body.Parts["saga"]["sagaId"])
		require.Equal(t, "room-booking … → payment ·", body.Parts["saga"]["steps"])
		require.Empty(t, body.Missing)
	}
	require.Equal(t, "/api/v1/sagas/"+c.saga+"/booking", *c.hotel.asked.Load())
	require.Equal(t, "/api/v1/sagas/"+c.saga+"/payment", *c.payment.asked.Load())

	require.Equal(t, []string{"saga"}, keys(read(t, c.ask("?expand=saga")).Parts), "nothing else is asked for")
	plain := c.ask("")
	require.NotContains(t, plain.Body.String(), "parts")
	require.NotContains(t, plain.Body.String(), "missing")
	require.NotEmpty(t, plain.Header().Get("ETag"))
}

func keys(parts map[string]map[string]any) (names []string) {
	for name := range parts {
		names = append(names, name)
	}
	return names
}

func TestAPartThatDoesNotCome(t *testing.T) {
	t.Parallel()
	c := setupParts(t, time.Minute)
	for name, want := range map[string]struct {
		answer http.HandlerFunc
		why    string
		status int
	}{
		"an end": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "unreachable", 0},
		"500": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "dial 10.0.0.7", http.StatusInternalServerError)
		}, "status", 500},
		"a move":  {http.RedirectHandler(c.payment.URL, http.StatusFound).ServeHTTP, "status", 302},
		"none":    {http.NotFound, "not-found", 0},
		"huge":    {text(`"` + strings.Repeat("x", 64<<10) + `"`), "too-large", 0},
		"no JSON": {text(`<html>`), "invalid", 0},
		"a half": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"a"`))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "incomplete", 0},
	} {
		c.hotel.says(want.answer)
		res := c.ask("?expand=booking,payment,saga")
		body := read(t, res)
		require.Len(t, body.Missing, 1, name)
		require.Equal(t, "booking", body.Missing[0].Part, name)
		require.Equal(t, want.why, body.Missing[0].Why, name)
		require.Equal(t, want.status, body.Missing[0].Status, name)
		require.Len(t, body.Parts, 2, name)
		require.Empty(t, res.Header().Get("ETag"), name)
		require.NotContains(t, res.Body.String(), "10.0.0.7", name)
		require.NotContains(t, res.Body.String(), "127.0.0.1", name)
		require.Equal(t, http.StatusOK, c.ask("?expand=booking", "If-None-Match", "*").Code, name)
	}
	require.Contains(t, c.log.String(), "an answer lacks a part")
	require.Contains(t, c.log.String(), c.hotel.URL, "the log is told where")

	c.hotel.Close()
	require.Equal(t, "unreachable", read(t, c.ask("?expand=booking,payment")).Missing[0].Why)
}

// A part that is slow costs the time that all have, and the others come.
func TestAPartThatIsSlow(t *testing.T) {
	t.Parallel()
	c := setupParts(t, 5*time.Second)
	c.hotel.says(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	body := read(t, c.ask("?expand=booking,payment,saga"))
	require.Len(t, body.Missing, 1)
	require.Equal(t, "timeout", body.Missing[0].Why)
	require.Len(t, body.Parts, 2)
}

// The tag is another one when any part has changed, and the same when it is as it was.
func TestTag(t *testing.T) {
	t.Parallel()
	c := setupParts(t, time.Minute)
	const all = "?expand=booking,payment,saga"
	tag := func() string { t.Helper(); return c.ask(all).Header().Get("ETag") }
	seen := map[string]string{}
	changed := func(what string) {
		t.Helper()
		now := tag()
		require.NotEmpty(t, now, what)
		require.Equal(t, now, tag(), "nothing has happened since: %s", what)
		require.NotContains(t, seen, now, what)
		seen[now] = what
		res := c.ask(all, "If-None-Match", `"x", W/`+now)
		require.Equal(t, http.StatusNotModified, res.Code, what)
		require.Empty(t, res.Body.String(), what)
		require.Equal(t, now, res.Header().Get("ETag"), what)
		for before := range seen {
			if before != now {
				require.Equal(t, http.StatusOK, c.ask(all, "If-None-Match", before).Code, what)
			}
		}
	}
	exec := func(statement string) {
		t.Helper()
		_, err := c.db.Exec(context.Background(), statement)
		require.NoError(t, err)
	}
	changed("at first")
	first := tag()
	c.hotel.says(text(`{"bookingId": "b", "state": "RELEASED"}`))
	changed("the booking")
	c.payment.says(text(`{"chargeId": "d"}`))
	changed("the payment")
	exec(`UPDATE saga SET paused = true, wake_at = NULL, version = version + 1`)
	changed("the saga")
	exec(`UPDATE reservation SET status = 'SUCCEED'`)
	changed("the reservation")

	c.hotel.says(http.NotFound)
	require.Empty(t, tag(), "a part is missing")
	c.hotel.says(text("{\"bookingId\":\n\"b\", \"state\": \"RELEASED\"}"))
	require.Contains(t, seen, tag(), "as it was; white space is nothing")
	require.NotEqual(t, first, c.ask("").Header().Get("ETag"), "other parts, another answer")
}

func TestPartsThatThereAreNot(t *testing.T) {
	t.Parallel()
	c := setupParts(t, time.Minute)
	refused := func(query, told string) {
		t.Helper()
		res := c.ask(query)
		require.Equal(t, http.StatusUnprocessableEntity, res.Code, "%s: %s", query, res.Body)
		require.Equal(t, "application/problem+json", res.Header().Get("Content-Type"))
		require.Contains(t, res.Body.String(), told, query)
		require.NotContains(t, res.Body.String(), canary)
		require.Nil(t, c.hotel.asked.Load(), "nobody was asked")
	}
	for _, query := range []string{
		"?expand=booking,room", "?expand=" + canary, "?expand=Booking", "?expand=booking,", "?expand=,", "?expand=booking%20",
		"?expand=booking&expand=x", "?expand=" + strings.Repeat("booking,", 500) + "x",
	} {
		refused(query, "ask for some of booking, payment, saga")
	}
	refused("?expand=booking;payment", "a semicolon is %3B")
	refused("?expnad=booking", "unknown query parameter")
	require.Equal(t, http.StatusOK, c.ask("?expand=").Code, "nothing is asked for")

	require.Equal(t, http.StatusNotFound, c.get(api.Path+"/"+uuid.NewString()+"?expand=booking").Code)
	require.Equal(t, http.StatusBadRequest, c.get(api.Path+"/17?expand=booking").Code)

	// Without the addresses of the others there is the service's own part.
	c.handler = api.Handler(c.service, api.Parts{Within: time.Minute}, zap.NewNop())
	refused("?expand=booking", "ask for some of saga")
	require.Len(t, read(t, c.ask("?expand=saga")).Parts, 1)
	_, err := c.db.Exec(context.Background(), `DELETE FROM saga`)
	require.NoError(t, err)
	require.Equal(t, "not-found", read(t, c.ask("?expand=saga")).Missing[0].Why, "sagas that have ended are deleted one day")
}

// A part of the service's own can fail alone, too: here for want of a right.
func TestOwnPartThatFails(t *testing.T) {
	t.Parallel()
	c := setupParts(t, time.Minute)
	_, err := c.db.Exec(context.Background(), `ALTER VIEW saga_orchestrated RENAME TO gone`)
	require.NoError(t, err)
	body := read(t, c.ask("?expand=saga,booking"))
	require.Equal(t, "failed", body.Missing[0].Why)
	require.Len(t, body.Parts, 1)
	_, err = reservation.NewService(c.db, "", testenv.Service).Progress(context.Background(), uuid.New())
	require.ErrorContains(t, err, "saga_orchestrated")
}

// The interface says which parts there are.
func TestPartsAreDescribed(t *testing.T) {
	t.Parallel()
	c := setupParts(t, time.Minute)
	described := c.get("/openapi.json").Body.String()
	require.Contains(t, described, "what other services know of it: booking, payment, saga")
	require.Contains(t, described, `"name":"expand"`)
}
