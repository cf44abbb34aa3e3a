package inbox

import (
	"context"
	"time"
)

// Times are those that a test may set: of the rule, and for how long a message is held.
type Times struct{ Alone, Quiet, Hold time.Duration }

// RunFast is Run with short pauses, and attempt for one transaction.
func RunFast(ctx context.Context, cfg Config, attempt time.Duration, times Times) error {
	cfg.Limit = 1 // nothing beyond the attempt
	r := standardRule
	r.alone, r.quiet = times.Alone, times.Quiet
	r.retry = pauses{first: 2 * time.Millisecond, max: 50 * time.Millisecond}
	r.probe = pauses{first: 10 * time.Millisecond, max: 100 * time.Millisecond}
	return run(ctx, cfg, timing{
		firstPause: time.Millisecond,
		maxPause:   20 * time.Millisecond,
		attempt:    attempt,
		grace:      20 * time.Second,
		hold:       times.Hold,
		gather:     20 * time.Millisecond,
		rule:       r,
		prove:      20 * time.Millisecond,
		upkeep:     20 * time.Millisecond,
		forget:     20 * time.Millisecond,
	})
}
