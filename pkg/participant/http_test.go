package participant_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/inbox"
	"go.example/saga/pkg/jsonmap"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/participant"
	"go.example/saga/pkg/protocol"
	"go.example/saga/pkg/saga"
)

// byHTTP has the bench's commands come by HTTP: it does what a relay does, but for the broker.
func byHTTP(t *testing.T) *bench {
	b := setUp(t)
	var err error
	b.p, err = participant.New(b.Config)
	require.NoError(t, err)
	server := httptest.NewServer(b.p.Handler())
	t.Cleanup(server.Close)
	b.call = func(ds ...inbox.Delivery) (rejections []inbox.Rejection, err error) {
		for i, d := range ds {
			reply, refused := b.post(server.URL, d)
			if refused != "" {
				rejections = append(rejections, inbox.Rejection{Index: i, Code: inbox.Undecodable, Reason: refused})
				continue
			}
			if err := outbox.Append(t.Context(), b.DB, reply); err != nil {
				return rejections, err
			}
		}
		return rejections, nil
	}
	return b
}

// post is one call; refused is what a response says that is no reply.
func (b *bench) post(url string, d inbox.Delivery) (reply outbox.Message, refused string) {
	b.t.Helper()
	id, _ := uuid.Parse(d.MessageID)
	req, err := protocol.HTTPRequest(b.t.Context(), &outbox.Record{Message: outbox.Message{
		ID: id, Type: d.Type, ReplyTo: d.ReplyTo, ContentType: d.ContentType, RoutingKey: url, Headers: d.Headers, Payload: d.Body,
	}}, "trips")
	require.NoError(b.t, err)
	if d.MessageID == "" {
		req.Header.Del("ce-id")
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(b.t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	if resp.StatusCode == http.StatusBadRequest {
		var p struct{ Detail string }
		require.NoError(b.t, json.Unmarshal(body, &p))
		return reply, p.Detail
	}
	cmd, err := protocol.DecodeCommand(d)
	require.NoError(b.t, err)
	reply, err = protocol.ReadHTTPReply(cmd, resp, body)
	require.NoError(b.t, err, "%s", body)
	return reply, ""
}

// What is no POST of a command is refused, and says what is wanted.
func TestWhatIsNoCommandByHTTP(t *testing.T) {
	b := byHTTP(t)
	handler := b.p.Handler()
	serve := func(change func(*http.Request)) *httptest.ResponseRecorder {
		d := command(newSaga(), "work", saga.Request, 1, "")
		id := uuid.MustParse(d.MessageID)
		req, err := protocol.HTTPRequest(t.Context(), &outbox.Record{Message: outbox.Message{
			ID: id, Type: d.Type, ContentType: d.ContentType, RoutingKey: "http://127.0.0.1/", Headers: d.Headers, Payload: d.Body,
		}}, "trips")
		require.NoError(t, err)
		change(req)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		return w
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
		says   string
	}{
		"a GET":              {func(r *http.Request) { r.Method = http.MethodGet }, 405, "POST"},
		"no saga":            {func(r *http.Request) { r.Header.Del("Ce-Sagaid") }, 400, "sagaid"},
		"another key":        {func(r *http.Request) { r.Header.Set("Idempotency-Key", `"x"`) }, 400, "Idempotency-Key"},
		"no JSON":            {func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("{")) }, 400, "body"},
		"a text":             {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 400, "content_type"},
		"a body of 2 MB":     {func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(strings.Repeat(" ", 2<<20))) }, 400, "1048576"},
		"another encoding":   {func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, 400, "content_encoding"},
		"a command, in fact": {func(*http.Request) {}, 200, `"number"`},
	} {
		w := serve(c.change)
		require.Equal(t, c.status, w.Code, name)
		require.Contains(t, w.Body.String(), c.says, name)
	}
}

// A database that fails is no answer of the participant's, and costs nothing.
func TestACommandByHTTPWithoutADatabase(t *testing.T) {
	b := byHTTP(t)
	d := command(newSaga(), "work", saga.Request, 1, "")
	_, err := b.DB.Exec(t.Context(), `ALTER TABLE saga_barrier RENAME TO away`)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	cmd, err := protocol.DecodeCommand(d)
	require.NoError(t, err)
	req, err := protocol.HTTPRequest(t.Context(), &outbox.Record{Message: outbox.Message{
		ID: cmd.MessageID, Type: d.Type, ContentType: d.ContentType, RoutingKey: "http://127.0.0.1/", Headers: d.Headers, Payload: d.Body,
	}}, "trips")
	require.NoError(t, err)
	b.p.Handler().ServeHTTP(w, req)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	_, err = protocol.ReadHTTPReply(cmd, w.Result(), w.Body.Bytes())
	require.ErrorIs(t, err, protocol.ErrBusy)
	require.NotContains(t, w.Body.String(), "saga_barrier")

	_, err = b.DB.Exec(t.Context(), `ALTER TABLE away RENAME TO saga_barrier`)
	require.NoError(t, err)
	_, err = b.handle(d)
	require.NoError(t, err)
	require.Equal(t, jsonmap.JSONMap{"number": json.Number("9007199254740993")}, b.answers(cmd.SagaID)[0].Reply.Output)
}
