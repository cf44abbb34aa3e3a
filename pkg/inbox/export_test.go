package inbox

import (
	"context"
	"time"
)

// RunFast is Run with short pauses, and attempt for one transaction.
func RunFast(ctx context.Context, cfg Config, attempt time.Duration) error {
	cfg.Limit = 1 // nothing beyond the attempt
	return run(ctx, cfg, timing{
		firstPause: time.Millisecond,
		maxPause:   20 * time.Millisecond,
		patience:   200 * time.Millisecond,
		attempt:    attempt,
		grace:      20 * time.Second,
		tries:      3,
		prove:      20 * time.Millisecond,
	})
}
