package lab

import (
	"context"
	"fmt"
	"time"
)

const (
	// look is how often what arrived is counted: a hundredth of a per cent of a run.
	look = 10 * time.Millisecond
	// patience is how long nothing may arrive. A log of ten million rows takes its
	// time before the first.
	patience = 3 * time.Minute
	// settled is the part of the rows that is not timed: connecting, and the first
	// pages through cold caches.
	settled = 0.05
)

// Progress is how the messages came.
type Progress struct {
	// First is the time from the start of the watch to the first message.
	First time.Duration
	// Rate is messages a second, after the first twentieth of them.
	Rate float64
}

// Watch counts until rows messages have arrived from the process.
func (r *Reader) Watch(ctx context.Context, from *Process, rows int) (Progress, error) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	w := watch{rows: rows, start: time.Now()}
	w.moved = w.start
	for {
		count, err := r.Count()
		if err != nil {
			return Progress{}, err
		}
		now := time.Now()
		if w.see(count, now) {
			return w.progress(), nil
		}
		if now.Sub(w.moved) > patience {
			return Progress{}, fmt.Errorf("nothing arrived for %v after %d of %d messages\n%s", patience, count, rows, from.Tail())
		}
		select {
		case <-ctx.Done():
			return Progress{}, context.Cause(ctx)
		case <-from.Exited():
			return Progress{}, from.Ended()
		case <-tick.C:
		}
	}
}

// sight is a count and its time.
type sight struct {
	count int
	at    time.Time
}

// watch turns counts into a rate.
type watch struct {
	rows        int
	start       time.Time
	first       time.Time // when the first message was seen
	moved       time.Time // when the count rose for the last time
	begin, last sight
}

// see takes a count; true means that all rows have arrived.
func (w *watch) see(count int, now time.Time) bool {
	if count > w.last.count {
		w.moved = now
	}
	if count > 0 && w.first.IsZero() {
		w.first = now
	}
	w.last = sight{count, now}
	if w.begin.at.IsZero() && float64(count) >= settled*float64(w.rows) {
		w.begin = w.last
	}
	return count >= w.rows
}

func (w *watch) progress() Progress {
	return Progress{
		First: w.first.Sub(w.start),
		Rate:  float64(w.last.count-w.begin.count) / w.last.at.Sub(w.begin.at).Seconds(),
	}
}
