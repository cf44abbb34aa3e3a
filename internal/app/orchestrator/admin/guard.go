package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"go.example/saga/internal/httpapi"
)

// Token returns the token that callers have to send; the empty one asks for none. It is
// asked for each request, so that a token can change while the daemon runs.
type Token func() (string, error)

// guarded lets only those through who may call.
func guarded(next http.Handler, token Token, log *zap.Logger) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		httpapi.Problem(w, http.StatusForbidden, "pages of other sites may not call this")
	}))
	within := sameOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want, err := token()
		switch {
		case err != nil:
			log.Error("requests are refused: the token cannot be read", zap.Error(err))
			httpapi.Problem(w, http.StatusServiceUnavailable, "the token to compare with cannot be read")
		case want == "" && !namesThisMachine(r.Host):
			// A name that leads here may be a page's, which its script could then read.
			httpapi.Problem(w, http.StatusForbidden, "without a token this is called by a loopback address or localhost")
		case want != "" && !carries(r, want):
			w.Header().Set("WWW-Authenticate", "Bearer")
			httpapi.Problem(w, http.StatusUnauthorized, "the header Authorization has to be Bearer and the token")
		default:
			within.ServeHTTP(w, r)
		}
	})
}

// carries compares in a time that tells nothing about the token, nor its length.
func carries(r *http.Request, want string) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	a, b := sha256.Sum256([]byte(strings.TrimSpace(given))), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

func namesThisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return IsLoopback(strings.Trim(host, "[]"))
}

// IsLoopback says that only this machine reaches the host.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
