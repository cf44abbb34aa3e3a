package rabbit

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"time"
)

// Config says how to reach the broker. The zero values of the durations mean
// their defaults.
type Config struct {
	// URL gives amqp://user:password@host:port/vhost or amqps://…, with reserved
	// characters percent-encoded. Several, separated by white space or commas, and
	// several hosts in one (a:5672,b:5672), are tried in their order. It is asked at
	// each dial. A heartbeat parameter in it overrides Heartbeat.
	URL func(ctx context.Context) (string, error)
	// Name is shown by the broker as the connection's name and becomes the app_id
	// of published messages. At most 255 bytes.
	Name string
	// Heartbeat is how often both sides show that they live, in whole seconds;
	// after one and a half of it without a sign the session ends. Default 5 s.
	Heartbeat time.Duration
	// DialTimeout bounds connecting, the TLS handshake and the login together, at one
	// address. Default 3 s.
	DialTimeout time.Duration
	// WriteTimeout bounds one write to the socket. Default 5 s.
	WriteTimeout time.Duration
	// TLS is asked at each dial, see [TLSFiles]. What it returns needs an amqps
	// URL; with an amqp one the dial fails instead of sending the password in the
	// clear. Nil, or a nil configuration, means for amqps the certificates named in
	// the URL's parameters, else the system's roots; TLS 1.2 at least.
	TLS func() (*tls.Config, error)
	// Remarks, where set, takes what is amiss with exchanges, queues and bindings that a session
	// can do without.
	Remarks *Remarks
	// Lost, where set, lets the sessions of a consumer stand in for those that were lost.
	Lost *Lost

	pace pace
}

const (
	defaultHeartbeat    = 5 * time.Second
	defaultDialTimeout  = 3 * time.Second
	defaultWriteTimeout = 5 * time.Second
)

// complete fills in the defaults and checks the rest.
func (c Config) complete() (Config, error) {
	if c.URL == nil {
		return c, errors.New("rabbit: Config.URL is not set")
	}
	if len(c.Name) > maxShortString {
		return c, errors.New("rabbit: Config.Name is longer than 255 bytes")
	}
	c.Heartbeat = cmp.Or(c.Heartbeat, defaultHeartbeat)
	c.DialTimeout = cmp.Or(c.DialTimeout, defaultDialTimeout)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, defaultWriteTimeout)
	c.pace = cmp.Or(c.pace, standard)
	if c.Heartbeat < time.Second {
		return c, errors.New("rabbit: Config.Heartbeat is below one second")
	}
	if c.DialTimeout < 0 || c.WriteTimeout < 0 {
		return c, errors.New("rabbit: Config.DialTimeout or Config.WriteTimeout is negative")
	}
	return c, nil
}
