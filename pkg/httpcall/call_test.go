package httpcall_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/httpcall"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/desk"
	"go.example/saga/pkg/outbox/relay"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// record is a row of the outbox with a command.
func record(t *testing.T, url string, op saga.Operation) *outbox.Record {
	t.Helper()
	m, err := protocol.CommandMessage("trips", saga.State{ID: saga.ID(uuid.Must(uuid.NewV7())), Type: "trip"}, saga.SendCommand{
		Step: "pay", Operation: op, Attempt: 1, URL: url, Timeout: 5 * time.Second, Payload: jsonmap.JSONMap{"amount": "12"},
	})
	require.NoError(t, err)
	return &outbox.Record{Message: m, Position: 7, Service: "trips"}
}

func caller(t *testing.T, list string, change func(*httpcall.Config)) *httpcall.Caller {
	t.Helper()
	targets, err := httpcall.ParseTargets(list, false)
	require.NoError(t, err)
	cfg := httpcall.Config{Targets: targets, Timeout: 2 * time.Second}
	if change != nil {
		change(&cfg)
	}
	c := httpcall.New(cfg)
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// call makes one call.
func call(t *testing.T, c *httpcall.Caller, r *outbox.Record) relay.Called {
	t.Helper()
	begin, instead := c.Begin(r, relay.Before{Accepted: -1})
	if begin == nil {
		return instead
	}
	return begin(t.Context())
}

func answer(status int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		body := headers[len(headers)-1]
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const problem = "application/problem+json"

// Each response has the meaning that the table in the package's documentation gives it.
func TestWhatResponsesMean(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		op      saga.Operation
		handler http.HandlerFunc
		outcome saga.Outcome // of the reply; else:
		reason  string
		// accepted: the receiver may have acted; failed: it counts as an attempt; later: at least.
		accepted, failed bool
		later            time.Duration
		says             string
	}{
		"200 with output":          {saga.Request, answer(200, "Content-Type", "application/json", `{"id":1}`), saga.OutcomeSucceeded, "", false, false, 0, ""},
		"201":                      {saga.Request, answer(201, "Content-Type", "application/vnd.pay+json", `{"id":1}`), saga.OutcomeSucceeded, "", false, false, 0, ""},
		"204":                      {saga.Request, answer(204, ""), saga.OutcomeSucceeded, "", false, false, 0, ""},
		"200 to CONFIRM":           {saga.Confirm, answer(200, "Content-Type", "application/json", "{}"), saga.OutcomeConfirmed, "", false, false, 0, ""},
		"a page to CONFIRM":        {saga.Confirm, answer(200, "Content-Type", "text/html", "<p>maintenance</p>"), "", desk.Unanswered, true, true, 0, "content_type"},
		"204 to CANCEL":            {saga.Cancel, answer(204, ""), saga.OutcomeCompensated, "", false, false, 0, ""},
		"a refusal by 409":         {saga.Request, answer(409, "Content-Type", problem, `{"outcome":"failed","title":"No"}`), saga.OutcomeFailed, "", false, false, 0, ""},
		"a refusal by 422":         {saga.Request, answer(422, "Content-Type", problem, `{"outcome":"failed"}`), saga.OutcomeFailed, "", false, false, 0, ""},
		"retry by 503":             {saga.Cancel, answer(503, "Content-Type", problem, `{"outcome":"retry"}`), saga.OutcomeRetry, "", false, false, 0, ""},
		"a page for people":        {saga.Request, answer(200, "Content-Type", "text/html", "<p>welcome</p>"), "", desk.Unanswered, true, true, 0, "content_type"},
		"200 with no object":       {saga.Request, answer(200, "Content-Type", "application/json", `[1]`), "", desk.Unanswered, true, true, 0, "body"},
		"409 that decides nothing": {saga.Request, answer(409, "Content-Type", problem, `{"title":"Conflict"}`), "", desk.Unanswered, true, true, 0, "409"},
		"a refusal by 400":         {saga.Request, answer(400, "Content-Type", problem, `{"outcome":"failed"}`), "", desk.Refused, false, true, 0, "400"},
		"a refusal of CANCEL":      {saga.Cancel, answer(422, "Content-Type", problem, `{"outcome":"succeeded"}`), "", desk.Unanswered, true, true, 0, "422"},
		"202":                      {saga.Request, answer(202, ""), "", desk.Unanswered, true, false, time.Second, "not yet"},
		"202 with a time":          {saga.Request, answer(202, "Retry-After", "9", ""), "", desk.Unanswered, true, false, 9 * time.Second, "not yet"},
		"425":                      {saga.Request, answer(425, ""), "", desk.Unanswered, true, false, time.Second, "not yet"},
		"429":                      {saga.Request, answer(429, "Retry-After", "7", ""), "", desk.Unreachable, false, true, 7 * time.Second, "429"},
		"503 until a date":         {saga.Request, answer(503, "Retry-After", time.Now().Add(90*time.Second).UTC().Format(http.TimeFormat), ""), "", desk.Unreachable, false, true, 80 * time.Second, "503"},
		"429 for a year":           {saga.Request, answer(429, "Retry-After", "31536000", ""), "", desk.Unreachable, false, true, time.Hour, "429"},
		"401":                      {saga.Request, answer(401, ""), "", desk.Refused, false, true, 0, "401"},
		"404":                      {saga.Request, answer(404, ""), "", desk.Refused, false, true, 0, "404"},
		"408":                      {saga.Request, answer(408, ""), "", desk.Unanswered, true, true, 0, "408"},
		"500":                      {saga.Request, answer(500, ""), "", desk.Unanswered, true, true, 0, "500"},
		"504":                      {saga.Request, answer(504, ""), "", desk.Unanswered, true, true, 0, "504"},
		"a redirect":               {saga.Request, answer(307, "Location", "http://127.0.0.1:1/", ""), "", desk.Refused, false, true, 0, "redirects are not followed"},
		"more than a message has":  {saga.Request, answer(200, "Content-Type", "application/json", `{"x":"`+strings.Repeat("x", 1<<20)+`"}`), "", desk.Invalid, false, true, 0, "1048576"},
		"a body that ends early": {saga.Request, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, `{"id":`)
		}, "", desk.Unanswered, true, true, 0, "ends early"},
		"closed without an answer": {saga.Request, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", desk.Unanswered, true, true, 0, "EOF"},
		"no answer in time": {saga.Request, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client goes
			<-r.Context().Done()
		}, "", desk.Unanswered, true, true, 0, "deadline"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, c.handler)
			var told []string
			got := call(t, caller(t, url, func(cfg *httpcall.Config) {
				cfg.Called = func(target, outcome string, _ time.Duration) { told = append(told, target+" "+outcome) }
			}), record(t, url+"/pay", c.op))
			require.Equal(t, []string{url + " " + cmp.Or(c.reason, "answered")}, told)
			if c.outcome != "" {
				require.NotNil(t, got.Answer, "%+v", got)
				require.Equal(t, string(c.outcome), got.Answer.Headers[protocol.HeaderSagaOutcome])
				require.Equal(t, "saga.replies.trips", got.Answer.RoutingKey)
				return
			}
			require.Nil(t, got.Answer)
			require.Equal(t, c.reason, got.Reason)
			require.Equal(t, c.accepted, got.Accepted)
			require.Equal(t, c.failed, got.Failed)
			require.GreaterOrEqual(t, got.Later, c.later)
			require.LessOrEqual(t, got.Later, time.Hour)
			require.Contains(t, got.Error, c.says)
		})
	}
}

// A request says all that a participant needs, by the names of CloudEvents.
func TestWhatARequestSays(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		answer(204, "")(w, r)
	})
	r := record(t, url+"/pay?x=1", saga.Request)
	r.Headers["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	require.NotNil(t, call(t, caller(t, url, nil), r).Answer)
	require.Equal(t, http.MethodPost, got.Method)
	require.Equal(t, "/pay?x=1", got.URL.RequestURI())
	require.JSONEq(t, `{"payload":{"amount":"12"},"outputs":{}}`, string(body))
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Ce-Id": r.ID.String(), "Ce-Type": "pay.REQUEST", "Ce-Specversion": "1.0", "Ce-Source": "trips",
		"Ce-Sagaid": r.Headers[protocol.HeaderSagaID], "Ce-Sagatype": "trip", "Ce-Sagastep": "pay", "Ce-Sagaop": "REQUEST", "Ce-Sagaattempt": "1",
		"Ce-Sagakey": r.Headers[protocol.HeaderSagaKey], "Idempotency-Key": `"` + r.Headers[protocol.HeaderSagaKey] + `"`,
		"Ce-Sagatimeout": "5", "Traceparent": r.Headers["traceparent"],
	} {
		require.Equal(t, want, got.Header.Get(name), name)
	}
}

// What must not be called is not dialled.
func TestTargetsThatMustNotBeCalled(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { calls.Add(1); answer(204, "")(w, r) })
	named := strings.Replace(url, "127.0.0.1", "localhost", 1)
	for name, c := range map[string]struct{ list, url, says string }{
		"not listed":            {"http://127.0.0.1:1", url, "HTTP_TARGETS"},
		"nothing listed":        {"", url, "HTTP_TARGETS"},
		"another scheme":        {strings.Replace(url, "http:", "https:", 1), url, "HTTP_TARGETS"},
		"a name for a loopback": {named, named, "private network or of this machine"},
		"the cloud's own":       {"http://169.254.169.254.", "http://169.254.169.254", "private network"},
	} {
		got := call(t, caller(t, c.list, nil), record(t, c.url, saga.Request))
		require.Equal(t, desk.Refused, got.Reason, name)
		require.Contains(t, got.Error, c.says, name)
	}
	require.Zero(t, calls.Load())

	targets, err := httpcall.ParseTargets(named, true)
	require.NoError(t, err)
	open := caller(t, "", func(cfg *httpcall.Config) { cfg.Targets = targets })
	require.NotNil(t, call(t, open, record(t, named, saga.Request)).Answer, "a name, where private addresses are allowed")
	require.NotNil(t, call(t, caller(t, url, nil), record(t, url, saga.Request)).Answer, "an address that is listed as such")

	for _, bad := range []string{"pay.example.com", "ftp://x", "http://user:secret@x", "http://x/path", "http://x?y", "http://"} {
		_, err := httpcall.ParseTargets(bad, false)
		require.ErrorContains(t, err, "origin", bad)
		require.NotContains(t, err.Error(), "secret")
	}
}

// A receiver that cannot be reached has not had the command.
func TestNobodyIsThere(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(answer(204, ""))
	url := server.URL
	server.Close()
	got := call(t, caller(t, url, nil), record(t, url, saga.Request))
	require.Equal(t, desk.Unreachable, got.Reason)
	require.False(t, got.Accepted)
	require.True(t, got.Failed)
}

// A command whose attempt is over is not asked for any more.
func TestAnAttemptThatIsOver(t *testing.T) {
	t.Parallel()
	c := caller(t, "http://127.0.0.1:1", nil)
	r := record(t, "http://127.0.0.1:1/", saga.Request) // its timeout is 5 s
	begin, instead := c.Begin(r, relay.Before{Accepted: 6 * time.Second})
	require.Nil(t, begin)
	require.True(t, instead.Done)
	begin, _ = c.Begin(r, relay.Before{Accepted: 4 * time.Second})
	require.NotNil(t, begin)
	begin(t.Context())
}

// What the row does not say right is never called.
func TestARowThatIsNoCommand(t *testing.T) {
	t.Parallel()
	r := record(t, "http://127.0.0.1:1/", saga.Request)
	r.Headers[protocol.HeaderSagaTimeout] = "soon"
	got := call(t, caller(t, "http://127.0.0.1:1", nil), r)
	require.Equal(t, desk.Invalid, got.Reason)
	require.Contains(t, got.Error, "sagatimeout")
}

// So many calls at a time go to a host; the others are given places one after the other.
func TestAHostsLimit(t *testing.T) {
	t.Parallel()
	let, here := make(chan struct{}), make(chan struct{}, 100)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		here <- struct{}{}
		<-let
		answer(204, "")(w, r)
	})
	c := caller(t, url, func(cfg *httpcall.Config) { cfg.PerHost = 2; cfg.Timeout = 20 * time.Second })
	var all sync.WaitGroup
	for range 2 + 2*16 { // those under way, and those who wait for their turn
		begin, _ := c.Begin(record(t, url, saga.Request), relay.Before{Accepted: -1})
		require.NotNil(t, begin)
		all.Go(func() { require.NotNil(t, begin(context.Background()).Answer) })
	}
	<-here
	<-here
	last := time.Duration(0)
	for range 5 {
		begin, instead := c.Begin(record(t, url, saga.Request), relay.Before{Accepted: -1})
		require.Nil(t, begin)
		require.False(t, instead.Failed, "to wait for room is no failure")
		require.Greater(t, instead.Later, last)
		last = instead.Later
	}
	require.Empty(t, here, "no third one is called")
	close(let)
	all.Wait()
	require.NotNil(t, call(t, c, record(t, url, saga.Request)).Answer)
}

// A host that fails is left alone, and tried by one call at a time until it answers.
func TestAHostsCircuit(t *testing.T) {
	t.Parallel()
	var healthy atomic.Bool
	var calls atomic.Int32
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if !healthy.Load() {
			answer(500, "")(w, r)
			return
		}
		answer(204, "")(w, r)
	})
	c := caller(t, url, nil)
	for range 5 {
		require.Equal(t, desk.Unanswered, call(t, c, record(t, url, saga.Request)).Reason)
	}
	for range 20 {
		got := call(t, c, record(t, url, saga.Request))
		require.Equal(t, desk.Unreachable, got.Reason)
		require.False(t, got.Failed)
		require.Contains(t, got.Error, "left alone")
		require.Contains(t, got.Error, "500")
	}
	require.EqualValues(t, 5, calls.Load())
	healthy.Store(true)
	require.Eventually(t, func() bool { return call(t, c, record(t, url, saga.Request)).Answer != nil }, 10*time.Second, 5*time.Millisecond)
	require.NotNil(t, call(t, c, record(t, url, saga.Request)).Answer)
}

// A receiver that closes its connections between two calls costs nothing: what was not
// sent is sent on another one.
func TestAReceiverThatClosesIdleConnections(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		answer(204, "")(w, r)
	})
	c := caller(t, url, nil)
	for range 20 {
		require.NotNil(t, call(t, c, record(t, url, saga.Request)).Answer)
	}
}

// FuzzReadHTTPReply holds that no response makes reading it panic, or brings a reply that
// does not answer the command.
func FuzzReadHTTPReply(f *testing.F) {
	f.Add(200, "application/json", "{}", "1")
	f.Add(422, problem, `{"outcome":"failed"}`, "Fri, 31 Dec 1999 23:59:59 GMT")
	f.Add(202, "", "", "-1")
	f.Fuzz(func(t *testing.T, status int, media, body, after string) {
		cmd := protocol.Command{MessageID: uuid.Max, SagaID: saga.ID(uuid.Max), SagaType: "t", Step: "s", Operation: saga.Request, Attempt: 1, ReplyTo: "q"}
		resp := &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: http.Header{"Content-Type": {media}, "Retry-After": {after}}}
		m, err := protocol.ReadHTTPReply(cmd, resp, []byte(body))
		require.GreaterOrEqual(t, protocol.RetryAfter(resp, time.Now()), time.Duration(0))
		if err == nil {
			require.True(t, saga.Outcome(m.Headers[protocol.HeaderSagaOutcome]).Answers(saga.Request))
		}
	})
}
