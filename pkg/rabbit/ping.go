package rabbit

import "context"

// Ping opens a connection, logs in to the virtual host, closes it again and
// returns the broker's version. No error means that the broker is there and
// accepts us; [ErrURL], [ErrDenied] and [ErrUnreachable] tell the other cases
// apart.
func Ping(ctx context.Context, cfg Config) (version string, err error) {
	s, err := open(ctx, cfg, func(s *session) error {
		version, _ = s.link.Properties["version"].(string)
		return nil
	})
	if err != nil {
		return "", err
	}
	return version, s.close()
}
