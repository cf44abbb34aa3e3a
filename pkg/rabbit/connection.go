package rabbit

import "context"

// Connection does nothing: the broker lists it under its [Config] Name while it
// stands. Its methods may be called from anywhere.
type Connection struct {
	// Version is the broker's.
	Version string

	session *session
}

// Connect logs in to the virtual host. [ErrURL], [ErrDenied] and [ErrUnreachable]
// tell apart why it could not. ctx and the configured timeouts bound the login,
// not the connection. The broker lists the connection when Connect has returned.
func Connect(ctx context.Context, cfg Config) (*Connection, error) {
	c := &Connection{}
	s, err := open(ctx, cfg, func(s *session) error {
		c.Version, _ = s.link.Properties["version"].(string)
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.session = s
	return c, nil
}

// Close ends the connection. It may be called again.
func (c *Connection) Close() error { return c.session.close() }
