package admin

import (
	"net/http"
	"time"

	"go.example/saga/internal/httpapi"
)

// Bounds of what operators may take from the daemon's connections to the database: most
// of them are for replies and timers.
const (
	atOnce   = 2
	lineTime = 5 * time.Second
)

// limited answers so many requests at once; the others wait in line for a while.
func limited(next http.Handler, most int, wait time.Duration) http.Handler {
	slots := make(chan struct{}, most)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		patience := time.NewTimer(wait)
		defer patience.Stop()
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			next.ServeHTTP(w, r)
		case <-patience.C:
			w.Header().Set("Retry-After", "5")
			httpapi.Problem(w, http.StatusServiceUnavailable, "too many requests at once; nothing was done")
		case <-r.Context().Done():
		}
	})
}
