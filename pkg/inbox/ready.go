package inbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
)

// ErrNotReady marks the trouble of a consumer that takes no messages because
// [Config.Ready] has an error, which it wraps.
var ErrNotReady = errors.New("takes no messages for now")

// readyTime bounds the answer of [Config.Ready].
const readyTime = 5 * time.Second

// restingLong is when a consumer that takes no messages is somebody's business: programs that
// are started together wait for each other for some seconds.
const restingLong = 30 * time.Second

// resting is what was told of a consumer that takes no messages.
type resting struct {
	since time.Time
	long  bool // told that it lasts
}

// tell logs that no messages are taken: once as a warning, and once as an error when it lasts.
func (r *resting) tell(log *zap.Logger, why error) {
	const told = "takes no messages until it may"
	switch {
	case r.since.IsZero():
		r.since = time.Now()
		log.Warn(told, zap.Error(why))
	case !r.long && time.Since(r.since) > restingLong:
		r.long = true
		log.Error(told, zap.Error(why), zap.Duration("for", time.Since(r.since)))
	}
}

// ready asks whether messages may be taken.
func (c *consumer) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	if err := c.Ready(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrNotReady, err)
	}
	return nil
}

// watchReady asks again and again while the session is open, and ends it where the answer
// is no.
func (f *feed) watchReady() {
	for {
		wait(f.ctx, f.timing.ready)
		if f.ctx.Err() != nil {
			return
		}
		if err := f.ready(f.ctx); err != nil && f.ctx.Err() == nil {
			f.end(err)
			return
		}
	}
}

// finishOf waits until nothing of the session is in hand any more, but not for long: while it
// is open its queue has a consumer.
func (d *dispatcher) finishOf(ctx context.Context, f *feed) {
	ctx, cancel := context.WithTimeout(ctx, d.finish)
	defer cancel()
	for ctx.Err() == nil {
		d.mu.Lock()
		busy, changed := d.inHand(f), d.changed
		d.mu.Unlock()
		if !busy {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// inHand says whether a worker has something of the session. The caller has the lock.
func (d *dispatcher) inHand(f *feed) bool {
	for h := range d.hands {
		if slices.ContainsFunc(h.items, func(it *item) bool { return it.feed == f }) {
			return true
		}
	}
	return false
}
