package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Requests beyond the limit wait for their turn, but not for ever.
func TestRequestsAreAnsweredFewAtOnce(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}, 2), make(chan struct{})
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-release
		w.WriteHeader(http.StatusNoContent)
	})
	call := func(handler http.Handler) chan int {
		status := make(chan int, 1)
		go func() {
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
			status <- answer.Code
		}()
		return status
	}
	impatient := limited(next, 1, time.Millisecond)
	first := call(impatient)
	<-entered
	require.Equal(t, http.StatusServiceUnavailable, <-call(impatient))
	release <- struct{}{}
	require.Equal(t, http.StatusNoContent, <-first)

	patient := limited(next, 1, time.Minute)
	first = call(patient)
	<-entered
	second := call(patient)
	release <- struct{}{}
	require.Equal(t, http.StatusNoContent, <-first)
	<-entered
	release <- struct{}{}
	require.Equal(t, http.StatusNoContent, <-second)
}
