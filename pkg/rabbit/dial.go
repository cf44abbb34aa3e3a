package rabbit

import (
	"context"
	"fmt"
	"net"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"
)

// link is a connection that is logged in, with what the library hides.
type link struct {
	*amqp.Connection
	// socket is below TLS. Closing it ends everything at once.
	socket net.Conn
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
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.DialTimeout,
		fmt.Errorf("no login within %s", cfg.DialTimeout))
	defer cancel()
	address := net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port))
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, dialError(err)
	}
	l := &link{socket: &boundedConn{Conn: conn, writeTimeout: cfg.WriteTimeout}, vhost: uri.Vhost}
	err = l.within(ctx, func() error {
		l.Connection, err = amqp.DialConfig(text, settings(cfg, uri, l.socket))
		return err
	})
	if err != nil {
		_ = conn.Close() // the library leaves it open after a failed login
		return nil, fmt.Errorf("log in at %s: %w", address, dialError(err))
	}
	return l, nil
}

// settings are the library's for one dial. Recovery stays nil, see the package's
// documentation.
func settings(cfg Config, uri amqp.URI, socket net.Conn) amqp.Config {
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(cfg.Name)
	return amqp.Config{
		SASL:            logins(uri, properties),
		Heartbeat:       cfg.Heartbeat,
		TLSClientConfig: cfg.TLS.Clone(), // the library writes into it
		Properties:      properties,
		Dial:            func(string, string) (net.Conn, error) { return socket, nil },
	}
}

// within runs do and closes the socket if ctx ends before: that is the only way
// to interrupt the library.
func (l *link) within(ctx context.Context, do func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = l.socket.Close() })
	err := do()
	if stop() {
		return err
	}
	if err == nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", context.Cause(ctx), err)
}
