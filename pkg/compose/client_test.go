package compose_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"go.example/saga/pkg/compose"
)

// strange is a service whose paths answer in every way that an answer can fail.
func strange(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	write := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
	}
	mux.HandleFunc("/good", write(`{"n": 1}`))
	mux.HandleFunc("/null", write(`null`))
	mux.HandleFunc("/html", write(`<html>sign in</html>`))
	mux.HandleFunc("/empty", write(``))
	mux.HandleFunc("/two", write(`{} {}`))
	mux.HandleFunc("/twice", write(`{"a": 1, "a": 2}`))
	mux.HandleFunc("/no-utf8", write("{\"a\": \"\xff\"}"))
	mux.HandleFunc("/deep", write(strings.Repeat("[", 5000)+strings.Repeat("]", 5000)))
	mux.HandleFunc("/fits", write(`"`+strings.Repeat("x", 98)+`"`))
	mux.HandleFunc("/one-more", write(`"`+strings.Repeat("x", 99)+`"`))
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte(strings.Repeat(" ", 1<<16))); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/500", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"secret": 1}`, http.StatusInternalServerError)
	})
	mux.HandleFunc("/204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.Handle("/moved", http.RedirectHandler("/good", http.StatusFound))
	mux.HandleFunc("/lost", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "::")
		w.WriteHeader(http.StatusMovedPermanently)
	})
	mux.HandleFunc("/breaks-off", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"a": `))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/hangs-up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/stops", func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"a": `))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	server := strange(t)
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	client := compose.Client{MaxBytes: 100}
	for url, want := range map[string]compose.Missing{
		server.URL + "/nothing":    {Why: compose.NotFound},
		server.URL + "/500":        {Why: compose.Status, Status: 500},
		server.URL + "/204":        {Why: compose.Status, Status: 204},
		server.URL + "/moved":      {Why: compose.Status, Status: 302},
		server.URL + "/lost":       {Why: compose.Status, Status: 301},
		server.URL + "/html":       {Why: compose.Invalid},
		server.URL + "/empty":      {Why: compose.Invalid},
		server.URL + "/two":        {Why: compose.Invalid},
		server.URL + "/twice":      {Why: compose.Invalid},
		server.URL + "/no-utf8":    {Why: compose.Invalid},
		server.URL + "/one-more":   {Why: compose.TooLarge},
		server.URL + "/endless":    {Why: compose.TooLarge},
		server.URL + "/breaks-off": {Why: compose.Incomplete},
		server.URL + "/hangs-up":   {Why: compose.Unreachable},
		away.URL:                   {Why: compose.Unreachable},
		"http://nowhere.invalid/":  {Why: compose.Unreachable},
		"gopher://localhost/":      {Why: compose.Unreachable},
		"http://[::1/":             {Why: compose.Failed},
	} {
		t.Run(url, func(t *testing.T) {
			t.Parallel()
			parts := compose.Sources[string]{
				"part": func(ctx context.Context, url string) (any, error) { return client.Get(ctx, url) },
				"good": func(ctx context.Context, _ string) (any, error) { return client.Get(ctx, server.URL+"/good") },
			}
			answer, err := parts.Ask(t.Context(), 20*time.Second, url, []string{"part", "good"})
			require.NoError(t, err)
			require.JSONEq(t, `{"n": 1}`, string(answer.Parts["good"]), "the other part comes all the same")
			require.Len(t, answer.Missing, 1)
			got := answer.Missing[0]
			require.Error(t, got.Err)
			text, err := json.Marshal(got)
			require.NoError(t, err)
			require.NotContains(t, string(text), "127.0.0.1")
			got.Part, got.Err = "", nil
			require.Equal(t, want, got)
		})
	}
}

func TestAnswersAreTakenUpToTheBound(t *testing.T) {
	t.Parallel()
	server := strange(t)
	client := compose.Client{MaxBytes: 100}
	for path, want := range map[string]string{"/good": `{"n": 1}`, "/null": `null`, "/fits": `"` + strings.Repeat("x", 98) + `"`} {
		got, err := client.Get(t.Context(), server.URL+path)
		require.NoError(t, err, path)
		require.Equal(t, want, string(got), path)
	}
	_, err := (&compose.Client{}).Get(t.Context(), server.URL+"/deep")
	require.ErrorContains(t, err, "invalid")
}

// A service that says nothing, or stops in the middle, costs the deadline and no more.
func TestSilence(t *testing.T) {
	t.Parallel()
	server := strange(t)
	var client compose.Client
	parts := compose.Sources[string]{}
	var names []string
	for _, path := range []string{"/silent", "/stops", "/good"} {
		names = append(names, path)
		parts[path] = func(ctx context.Context, _ string) (any, error) { return client.Get(ctx, server.URL+path) }
	}
	answer, err := parts.Ask(t.Context(), 3*time.Second, "", names)
	require.NoError(t, err)
	require.Len(t, answer.Missing, 2)
	for _, m := range answer.Missing {
		require.Equal(t, compose.Timeout, m.Why, m.Part)
	}
	require.Contains(t, answer.Parts, "/good")
}

// What a service asks for, such as a token, is its transport's to add.
func TestTransport(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(server.Close)
	client := compose.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer t")
		return server.Client().Transport.RoundTrip(r)
	})}
	got, err := client.Get(t.Context(), server.URL)
	require.NoError(t, err)
	require.Equal(t, `"Bearer t"`, string(got))
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
