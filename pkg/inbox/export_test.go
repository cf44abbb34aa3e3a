package inbox

import (
	"context"
	"time"

	"go.example/saga/pkg/inbox/blame"
)

// Times are those that a test may set: of the rule, and for how long a message is held.
type Times struct{ Alone, Quiet, Hold time.Duration }

// RunFast is Run with short pauses, and attempt for one transaction.
func RunFast(ctx context.Context, cfg Config, attempt time.Duration, times Times) error {
	cfg.Limit = 1 // nothing beyond the attempt
	r := blame.Standard
	r.Alone, r.Quiet = times.Alone, times.Quiet
	r.Retry = blame.Pauses{First: 2 * time.Millisecond, Max: 50 * time.Millisecond}
	r.Probe = blame.Pauses{First: 10 * time.Millisecond, Max: 100 * time.Millisecond}
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
		ready:      10 * time.Millisecond,
		finish:     20 * time.Second,
	})
}
