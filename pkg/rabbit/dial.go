package rabbit

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// link is a connection that is logged in, with what the library hides.
type link struct {
	*amqp.Connection
	// socket is below TLS. To abort it ends everything at once.
	socket *socket
	vhost  string
}

// dial connects and logs in at the first of the configured addresses that lets it, in
// their order. One that does not answer costs the configured time at most, and less where
// ctx leaves less for all of them.
func dial(ctx context.Context, cfg Config) (*link, error) {
	text, err := cfg.URL(ctx)
	if err != nil {
		return nil, fmt.Errorf("get the broker's URL: %w", err)
	}
	servers, err := parseURL(text)
	if err != nil {
		return nil, err
	}
	secure, err := secured(cfg, servers)
	if err != nil {
		return nil, err
	}
	var failed error
	for i, s := range servers {
		l, err := dialOne(ctx, cfg, s, secure.Clone(), share(ctx, cfg.DialTimeout, len(servers)-i))
		if err == nil {
			return l, nil
		}
		if failed == nil {
			failed = err
		} else {
			failed = fmt.Errorf("%w; %w", failed, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

// share is the time for the first of n attempts.
func share(ctx context.Context, most time.Duration, n int) time.Duration {
	if end, bounded := ctx.Deadline(); bounded {
		return min(most, time.Until(end)/time.Duration(n))
	}
	return most
}

func dialOne(ctx context.Context, cfg Config, s server, secure *tls.Config, within time.Duration) (*link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("no login within %s", within.Round(time.Millisecond)))
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.name)
	if err != nil {
		return nil, dialError(err)
	}
	l := &link{socket: newSocket(conn, cfg.WriteTimeout), vhost: s.uri.Vhost}
	err = l.within(ctx, func() error {
		l.Connection, err = amqp.DialConfig(s.url, settings(cfg, s.uri, secure, l.socket))
		return err
	})
	if err != nil {
		l.socket.abort(net.ErrClosed) // the library leaves it open after a failed login
		return nil, fmt.Errorf("log in at %s: %w", s.name, dialError(err))
	}
	return l, nil
}

// secured asks for the TLS settings; nil are the library's own.
func secured(cfg Config, servers []server) (*tls.Config, error) {
	if cfg.TLS == nil {
		return nil, nil
	}
	secure, err := cfg.TLS()
	if err != nil {
		return nil, fmt.Errorf("get the TLS settings: %w", err)
	}
	for _, s := range servers {
		if secure != nil && s.uri.Scheme != "amqps" {
			return nil, fmt.Errorf("%w: with TLS settings it has to begin with amqps", ErrURL)
		}
	}
	return secure, nil // the library writes into it: each dial has a copy
}

// settings are the library's for one dial. Recovery stays nil, see the package's
// documentation.
func settings(cfg Config, uri amqp.URI, secure *tls.Config, socket net.Conn) amqp.Config {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(cfg.Name)
	return amqp.Config{
		SASL:            logins(uri, properties),
		Heartbeat:       cfg.Heartbeat,
		TLSClientConfig: secure,
		Properties:      properties,
		Dial:            func(string, string) (net.Conn, error) { return socket, nil },
	}
}

// within runs do and closes the socket if ctx ends before: that is the only way
// to interrupt the library.
func (l *link) within(ctx context.Context, do func() error) error {
	stop := context.AfterFunc(ctx, func() { l.socket.abort(net.ErrClosed) })
	err := do()
	if stop() {
		return err
	}
	if err == nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", context.Cause(ctx), err)
}
