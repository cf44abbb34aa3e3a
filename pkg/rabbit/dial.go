package rabbit

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"
)

// link is a connection that is logged in, with what the library hides.
type link struct {
	*amqp.Connection
	// socket is below TLS. To abort it ends everything at once.
	socket *socket
	vhost  string
}

// dial connects and logs in within the configured time.
func dial(ctx context.Context, cfg Config) (*link, error) {
	text, err := cfg.URL(ctx)
	if err != nil {
		return nil, fmt.Errorf("get the broker's URL: %w", err)
	}
	uri, err := parseURL(text)
	if err != nil {
		return nil, err
	}
	secure, err := secured(cfg, uri)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.DialTimeout,
		fmt.Errorf("no login within %s", cfg.DialTimeout))
	defer cancel()
	address := net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port))
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, dialError(err)
	}
	l := &link{socket: newSocket(conn, cfg.WriteTimeout), vhost: uri.Vhost}
	err = l.within(ctx, func() error {
		l.Connection, err = amqp.DialConfig(text, settings(cfg, uri, secure, l.socket))
		return err
	})
	if err != nil {
		l.socket.abort(net.ErrClosed) // the library leaves it open after a failed login
		return nil, fmt.Errorf("log in at %s: %w", address, dialError(err))
	}
	return l, nil
}

// secured asks for the TLS settings; nil are the library's own.
func secured(cfg Config, uri amqp.URI) (*tls.Config, error) {
	if cfg.TLS == nil {
		return nil, nil
	}
	secure, err := cfg.TLS()
	if err != nil {
		return nil, fmt.Errorf("get the TLS settings: %w", err)
	}
	if secure != nil && uri.Scheme != "amqps" {
		return nil, fmt.Errorf("%w: with TLS settings it has to begin with amqps", ErrURL)
	}
	return secure.Clone(), nil // the library writes into it
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
