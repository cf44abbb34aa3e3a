package rabbit

import "context"

// Ping opens a connection, logs in to the virtual host and closes it again. Nil
// means that the broker is there and accepts us; [ErrURL], [ErrDenied] and
// [ErrUnreachable] tell the other cases apart.
func Ping(ctx context.Context, cfg Config) error {
	s, err := open(ctx, cfg, func(*session) error { return nil })
	if err != nil {
		return err
	}
	return s.close()
}
