package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = "4929000011112222"

type echoInput struct {
	Body struct {
		Amount int64  `json:"amount" minimum:"0"`
		Note   string `json:"note" maxLength:"30"`
	}
}

type echoOutput struct {
	Body struct {
		Note string `json:"note"`
	}
}

func echo(t *testing.T) http.Handler {
	t.Helper()
	api, handler := New("test", "1")
	huma.Register(api, huma.Operation{
		OperationID: "echo", Method: http.MethodPost, Path: "/echo", MaxBodyBytes: -1, BodyReadTimeout: -1,
	}, func(_ context.Context, in *echoInput) (*echoOutput, error) {
		out := &echoOutput{}
		out.Body.Note = in.Body.Note
		return out, nil
	})
	return handler
}

func send(handler http.Handler, method, path, contentType string, body io.Reader) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, body)
	req.Header.Set("Content-Type", contentType)
	res := httptest.NewRecorder()
	handler.ServeHTTP(res, req)
	return res
}

func TestErrorsAreProblemsThatRepeatNothing(t *testing.T) {
	t.Parallel()
	handler := echo(t)
	for name, c := range map[string]struct {
		body     string
		status   int
		location string
		message  string
	}{
		"missing":           {`{"note":"` + canary + `"}`, 422, "body", "amount"},
		"unknown field":     {`{"amount":1,"note":"x","extra":"` + canary + `"}`, 422, "body.extra", "unexpected"},
		"number as name":    {`{"amount":1,"note":"x","` + canary + `":1}`, 422, "body.(number)", "unexpected"},
		"grouped as name":   {`{"amount":1,"note":"x","4929 0000 1111 2222":1}`, 422, "body.(number)", "unexpected"},
		"other case":        {`{"amount":1,"note":"x","NOTE":"` + canary + `"}`, 422, "body.NOTE", "unexpected"},
		"wrong type":        {`{"amount":"` + canary + `","note":"x"}`, 422, "body.amount", "integer"},
		"fraction":          {`{"amount":1.5,"note":"x"}`, 422, "body.amount", "integer"},
		"whole fraction":    {`{"amount":` + canary + `.0,"note":"x"}`, 422, "body", "amount"},
		"beyond int64":      {`{"amount":99999999999999999999,"note":"x"}`, 422, "body", "amount"},
		"beyond float64":    {`{"amount":` + canary + `e999,"note":"x"}`, 400, "body", "range"},
		"too long":          {`{"amount":1,"note":"` + canary + canary + `"}`, 422, "body.note", "30"},
		"long unknown name": {`{"amount":1,"note":"x","` + strings.Repeat("a", 9999) + `":1}`, 422, "body.a", "unexpected"},
		"malformed":         {`{"amount":` + canary, 400, "body", "not one JSON value"},
		"trailing":          {`{"amount":1,"note":"x"} ` + canary, 400, "body", "not one JSON value"},
		"U+0000":            {`{"amount":1,"note":"a\u0000b"}`, 400, "body", "U+0000"},
		"lone surrogate":    {`{"amount":1,"note":"\ud800"}`, 400, "body", "surrogate"},
		"half a pair":       {`{"amount":1,"note":"\udc00\ud800"}`, 400, "body", "surrogate"},
		"invalid UTF-8":     {"{\"amount\":1,\"note\":\"\xff\"}", 400, "body", "UTF-8"},
		"a name twice":      {`{"amount":1,"note":"x","amount":2}`, 400, "body", "twice"},
		"no object":         {`"` + canary + `"`, 422, "body", "object"},
		"null":              {`null`, 422, "body", "object"},
		"deep":              {strings.Repeat("[", 20_000), 400, "body", "not one JSON value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res := send(handler, http.MethodPost, "/echo", "application/json", strings.NewReader(c.body))
			require.Equal(t, c.status, res.Code, res.Body)
			require.Equal(t, "application/problem+json", res.Header().Get("Content-Type"))
			require.NotContains(t, strings.ReplaceAll(res.Body.String(), " ", ""), canary)
			require.Less(t, res.Body.Len(), 2000)
			var problem huma.ErrorModel
			require.NoError(t, json.Unmarshal(res.Body.Bytes(), &problem))
			require.Equal(t, c.status, problem.Status)
			require.NotEmpty(t, problem.Errors)
			require.True(t, strings.HasPrefix(problem.Errors[0].Location, c.location), problem.Errors[0].Location)
			require.Contains(t, problem.Errors[0].Message, c.message)
			require.Nil(t, problem.Errors[0].Value)
		})
	}
}

func TestFrameErrors(t *testing.T) {
	t.Parallel()
	handler := echo(t)
	huge := strings.NewReader(strings.Repeat(" ", MaxBodyBytes+1))
	for name, c := range map[string]struct {
		method, path, contentType string
		body                      io.Reader
		status                    int
	}{
		"too large":    {http.MethodPost, "/echo", "application/json", huge, http.StatusRequestEntityTooLarge},
		"broken off":   {http.MethodPost, "/echo", "application/json", io.MultiReader(strings.NewReader("{"), failing{}), http.StatusBadRequest},
		"empty":        {http.MethodPost, "/echo", "application/json", http.NoBody, http.StatusBadRequest},
		"content type": {http.MethodPost, "/echo", "text/plain", strings.NewReader(`{"amount":1,"note":"x"}`), http.StatusUnsupportedMediaType},
		"form":         {http.MethodPost, "/echo", "application/x-www-form-urlencoded", strings.NewReader(canary), http.StatusUnsupportedMediaType},
		"no such path": {http.MethodGet, "/" + canary, "", http.NoBody, http.StatusNotFound},
		"wrong method": {http.MethodPut, "/echo", "application/json", http.NoBody, http.StatusMethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res := send(handler, c.method, c.path, c.contentType, c.body)
			require.Equal(t, c.status, res.Code, res.Body)
			require.Equal(t, "application/problem+json", res.Header().Get("Content-Type"))
			require.NotContains(t, res.Body.String(), canary)
			if c.status == http.StatusMethodNotAllowed {
				require.Equal(t, "POST", res.Header().Get("Allow"))
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestDescribesItself(t *testing.T) {
	t.Parallel()
	res := send(echo(t), http.MethodGet, "/openapi.json", "", http.NoBody)
	require.Equal(t, http.StatusOK, res.Code)
	require.True(t, bytes.Contains(res.Body.Bytes(), []byte(`"openapi":"3.1.0"`)), res.Body)
}

func TestServeFinishesRunningRequests(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	entered, release := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		w.WriteHeader(http.StatusNoContent)
	})
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, listener, handler, zap.NewNop()) }()
	answered := make(chan int, 1)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	go func() {
		res, err := client.Get("http://" + listener.Addr().String())
		if err != nil {
			answered <- 0
			return
		}
		_ = res.Body.Close()
		answered <- res.StatusCode
	}()
	<-entered
	stop()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, 5*time.Second, 10*time.Millisecond, "no new connections at shutdown")
	close(release)
	require.Equal(t, http.StatusNoContent, <-answered)
	require.NoError(t, <-served)
}

func TestSlowHeaderIsCutOff(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := newServer(http.NotFoundHandler(), zap.NewNop())
	server.ReadHeaderTimeout /= 50
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "))
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	_, err = io.ReadAll(conn)
	require.NoError(t, err, "the server ends the connection, not our deadline")
}

// A body that is not what it is read as is refused, whatever it holds.
func TestBodiesAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	handler := echo(t)
	for name, c := range map[string]struct {
		headers http.Header
		status  int
		says    string
	}{
		"plain":                 {http.Header{}, http.StatusOK, ""},
		"identity":              {http.Header{"Content-Encoding": {"Identity"}}, http.StatusOK, ""},
		"utf-8":                 {http.Header{"Content-Type": {`application/json; charset="UTF-8"`}}, http.StatusOK, ""},
		"gzip":                  {http.Header{"Content-Encoding": {"gzip"}}, http.StatusUnsupportedMediaType, "Content-Encoding"},
		"said to be compressed": {http.Header{"Content-Encoding": {"identity, br"}}, http.StatusUnsupportedMediaType, "Content-Encoding"},
		"in a second header":    {http.Header{"Content-Encoding": {"identity", "zstd"}}, http.StatusUnsupportedMediaType, "Content-Encoding"},
		"latin-1":               {http.Header{"Content-Type": {"application/json; charset=iso-8859-1"}}, http.StatusUnsupportedMediaType, "UTF-8"},
		"utf-16":                {http.Header{"Content-Type": {"application/json;charset=utf-16le"}}, http.StatusUnsupportedMediaType, "UTF-8"},
		"two content types":     {http.Header{"Content-Type": {"application/json", "text/plain"}}, http.StatusUnsupportedMediaType, "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequest(http.MethodPost, "/echo", strings.NewReader(`{"amount":1,"note":"x"}`))
			req.Header = c.headers
			res := httptest.NewRecorder()
			handler.ServeHTTP(res, req)
			require.Equal(t, c.status, res.Code, res.Body)
			require.Contains(t, res.Body.String(), c.says)
			if c.says == "Content-Encoding" {
				require.Equal(t, "identity", res.Header().Get("Accept-Encoding"))
			}
		})
	}
}

// What no text of PostgreSQL can hold gets no further than here, wherever it stands.
func TestIllegibleURLs(t *testing.T) {
	t.Parallel()
	handler := echo(t)
	for _, path := range []string{"/echo?x=%00", "/echo?x=%ff", "/echo?%c3%28=1", "/echo?a=1&b=a%00b", "/echo?x=%zz", "/echo?x=%ed%a0%80", "/%ff", "/echo/%00"} {
		req := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		req.RequestURI = path
		var err error
		req.URL, err = url.ParseRequestURI(path)
		require.NoError(t, err)
		res := httptest.NewRecorder()
		handler.ServeHTTP(res, req)
		require.Equal(t, http.StatusUnprocessableEntity, res.Code, path)
		require.Equal(t, "application/problem+json", res.Header().Get("Content-Type"))
	}
}
