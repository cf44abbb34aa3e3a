package rabbit

import "context"

// Ping opens a connection, closes it again and returns the broker's version. Its
// errors are those of [Connect].
func Ping(ctx context.Context, cfg Config) (version string, err error) {
	c, err := Connect(ctx, cfg)
	if err != nil {
		return "", err
	}
	return c.Version, c.Close()
}
