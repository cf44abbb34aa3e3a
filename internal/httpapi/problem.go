package httpapi

import (
	"encoding/json"
	"net/http"
	"regexp"

	"github.com/danielgtaylor/huma/v2"
)

// Problem answers with an RFC 9457 problem outside of any registered operation.
func Problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// The client may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(huma.ErrorModel{
		Title: http.StatusText(status), Status: status, Detail: detail,
	})
}

// longNumber is what could be a card number, however it is grouped. Names of
// unknown fields are the client's own text, so one could stand there too.
var longNumber = regexp.MustCompile(`(?:[0-9][ ._-]?){11,}[0-9]`)

// maxEcho bounds the part of the client's own text in an error.
const maxEcho = 200

// redact takes out of an error what came from the client: huma puts the
// offending value beside each error, for a missing field the whole body.
func redact(_ huma.Context, _ string, v any) (any, error) {
	problem, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	clean := *problem
	clean.Errors = make([]*huma.ErrorDetail, len(problem.Errors))
	for i, e := range problem.Errors {
		clean.Errors[i] = &huma.ErrorDetail{Message: tame(e.Message), Location: tame(e.Location)}
	}
	return &clean, nil
}

func tame(s string) string {
	s = longNumber.ReplaceAllString(s, "(number)")
	if len(s) > maxEcho {
		s = s[:maxEcho] + "…"
	}
	return s
}

// unmatched turns the mux's plain text answers (404, 405) into problems.
func unmatched(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &statusProbe{header: http.Header{}}
		handler.ServeHTTP(probe, r)
		if allow := probe.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		if location := probe.header.Get("Location"); location != "" {
			w.Header().Set("Location", location)
		}
		Problem(w, probe.status, "there is nothing here for this method and path; see /openapi.json")
	})
}

// statusProbe learns what a handler would answer.
type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusProbe) WriteHeader(status int)      { p.status = status }
