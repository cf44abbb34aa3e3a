package inbox

import (
	"context"
	"time"
)

// RunFast is Run with short pauses.
func RunFast(ctx context.Context, cfg Config) error {
	return run(ctx, cfg, timing{
		firstPause: time.Millisecond,
		maxPause:   20 * time.Millisecond,
		patience:   200 * time.Millisecond,
		attempt:    20 * time.Second,
		grace:      20 * time.Second,
		tries:      3,
	})
}
