package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"go.example/saga/internal/address"
	"go.example/saga/internal/httpapi"
)

const healthTimeout = 3 * time.Second

// Endpoint is something else to serve on the health port, such as metrics.
type Endpoint struct {
	// Pattern is one of [http.ServeMux], for example "GET /metrics".
	Pattern string
	Handler http.Handler
}

// Remark is an error that leaves the daemon ready: something that it can do without fails,
// and somebody should look.
type Remark struct{ Err error }

func (r *Remark) Error() string { return r.Err.Error() }
func (r *Remark) Unwrap() error { return r.Err }

// ServeHealth answers on addr, see [httpapi.Listen], until ctx is done; an empty addr
// serves nothing.
// /livez is 200 while the process runs. /readyz is 200 when ready returns nil or a
// [Remark], which it shows, and else 503 with its error as text. Ready and the handlers of what else is
// served are called from many goroutines.
func ServeHealth(ctx context.Context, addr string, ready func() error, log *zap.Logger, more ...Endpoint) error {
	if addr == "" {
		<-ctx.Done()
		return nil
	}
	listener, err := httpapi.Listen(ctx, addr)
	if err != nil {
		return fmt.Errorf("listen for health checks on HEALTH_ADDR %s: %w", addr, err)
	}
	log.Info("health checks are served", zap.Stringer("addr", listener.Addr()))
	server := &http.Server{
		Handler:           healthHandler(ready, more),
		ReadHeaderTimeout: healthTimeout,
		WriteTimeout:      2 * healthTimeout,
		MaxHeaderBytes:    8 << 10,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve health checks on %s: %w", addr, err)
	}
	return nil
}

func healthHandler(ready func() error, more []Endpoint) http.Handler {
	mux := http.NewServeMux()
	for _, e := range more {
		mux.Handle(e.Pattern, e.Handler)
	}
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		err := ready()
		var remark *Remark
		if err != nil && !errors.As(err, &remark) {
			http.Error(w, address.Scrub(err.Error()), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
		if remark != nil {
			fmt.Fprintln(w, address.Scrub(remark.Error()))
		}
	})
	return mux
}

// CheckHealth asks the daemon on addr whether it is ready: nil, or the reason
// why not. It is the client that a container's health check runs.
func CheckHealth(ctx context.Context, addr string) error {
	if addr == "" {
		return errors.New("HEALTH_ADDR is not set: the daemon serves no health checks")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("HEALTH_ADDR %q is not host:port: %w", addr, err)
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("ask %s for its health: %w", addr, err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s for its health: %w", addr, err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("read the health of %s: %w", addr, err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(text)))
	}
	return nil
}
