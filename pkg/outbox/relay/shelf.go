package relay

import (
	"context"
	"time"

	"go.uber.org/zap"

	"go.example/saga/pkg/outbox/outboxpg"
)

// shelf brings parked messages back to the desk when they are due. Its methods
// belong to the stream's loop, but for serve.
type shelf struct {
	s     *stream
	timer *time.Timer // when to ask next
	busy  bool        // asked, and not answered
	again bool        // to be asked at once when answered
	asked chan []int64
	found chan shelved
	// pullIn is when to look for retries that are too far ahead; serve's own.
	pullIn time.Time
}

// shelved is what the database said.
type shelved struct {
	due     []outboxpg.Due
	wait    time.Duration // until the next one is due
	version int64
	err     error
}

const (
	// dueHeads is how many parked messages are fetched at once.
	dueHeads = 64
	// dueSoon and dueLatest bound the pause between two looks. An operator's change
	// is noticed within the latter.
	dueSoon   = 20 * time.Millisecond
	dueLatest = time.Second
	// pullInPause is the time between two looks for retries that the longest pause cannot
	// explain, which costs a walk along an index, and pullInMax how many one look takes.
	pullInPause = time.Minute
	pullInMax   = 1000
)

func newShelf(s *stream) *shelf {
	return &shelf{s: s, timer: time.NewTimer(0), asked: make(chan []int64, 1), found: make(chan shelved, 1)}
}

// ask has the database asked, unless it is already or the desk is full.
func (f *shelf) ask() {
	switch {
	case f.s.front.Err() != nil:
	case f.busy:
		f.again = true
	case !f.s.desk.WantsDue():
		f.timer.Reset(dueSoon)
	default:
		f.busy = true
		f.asked <- f.s.desk.InWork()
	}
}

// hurry asks at once after parked messages were written: the next ones of their
// aggregates may be due by that.
func (f *shelf) hurry(r result) {
	if len(r.written.Parked) > 0 || len(r.written.Unparked) > 0 {
		f.ask()
	}
}

// take puts what was found on the desk.
func (f *shelf) take(found shelved) {
	f.busy = false
	switch {
	case found.err != nil:
		if f.s.front.Err() == nil {
			f.s.fail(databaseFault(found.err))
		}
		return
	case found.version != f.s.version:
		f.s.fail(errReload)
		return
	}
	for _, due := range found.due {
		f.s.desk.AdmitDue(f.s.message(due.Record), due)
	}
	pause := min(max(found.wait, dueSoon), dueLatest)
	if f.again {
		f.again, pause = false, dueSoon
	}
	if len(found.due) >= dueHeads {
		pause = 0 // there are more
	}
	f.timer.Reset(pause)
}

// serve asks the database, one question at a time.
func (f *shelf) serve() {
	for inWork := range f.asked {
		f.found <- f.look(inWork)
	}
}

func (f *shelf) look(inWork []int64) (found shelved) {
	ctx, cancel := context.WithTimeout(f.s.front, f.s.limits.call)
	defer cancel()
	if err := f.pullInRetries(ctx); err != nil {
		return shelved{err: err}
	}
	wait, some, version, err := f.s.tenure.NextDue(ctx, inWork)
	found = shelved{wait: wait, version: version, err: err}
	switch {
	case err != nil:
	case !some:
		found.wait = dueLatest
	case wait <= 0:
		found.due, found.err = f.s.tenure.Due(ctx, dueHeads, inWork)
	}
	return found
}

// pullInRetries makes due what waits for longer than any retry does.
func (f *shelf) pullInRetries(ctx context.Context) error {
	if time.Now().Before(f.pullIn) {
		return nil
	}
	longest := f.s.limits.longestRetry * 5 / 4 // see desk.Policy
	n, err := f.s.tenure.PullIn(ctx, longest, pullInMax)
	if err != nil {
		return err
	}
	if n > 0 {
		f.s.board.void(0, n)
		f.s.board.log.Warn("retries that were further ahead than the longest pause are due: the database's clock was set back",
			zap.Int64("messages", n), zap.Duration("longest", longest))
	}
	if n < pullInMax {
		f.pullIn = time.Now().Add(pullInPause)
	}
	return nil
}
