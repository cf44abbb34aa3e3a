package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// Bounds of one connection. A slow client costs a goroutine for that long.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 15 * time.Second
	writeTimeout   = 30 * time.Second
	idleTimeout    = 60 * time.Second
	shutdownGrace  = 10 * time.Second
	maxHeaderBytes = 16 << 10
)

// Serve answers on addr, see [Listen], until ctx is done, then lets running requests finish
// for at most ten seconds.
func Serve(ctx context.Context, addr string, handler http.Handler, log *zap.Logger) error {
	listener, err := Listen(ctx, addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	return serve(ctx, listener, handler, log)
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler, log *zap.Logger) error {
	server := newServer(handler, log)
	log.Info("requests are served", zap.Stringer("addr", listener.Addr()))
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve requests on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		_ = server.Close()
		if !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("stop serving requests on %s: %w", listener.Addr(), err)
		}
		log.Warn("requests were cut off at shutdown", zap.Duration("grace", shutdownGrace))
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve requests on %s: %w", listener.Addr(), err)
	}
	return nil
}

func newServer(handler http.Handler, log *zap.Logger) *http.Server {
	// The standard logger reports panics and broken handshakes; what a handler
	// panics with must therefore hold nothing of a request.
	errorLog, _ := zap.NewStdLogAt(log, zap.WarnLevel)
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          errorLog,
	}
}
