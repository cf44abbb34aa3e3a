package relay

import (
	"context"
	"time"

	"go.example/saga/pkg/flow"
	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/outboxpg"
)

// maxFlight bounds the payloads of the unconfirmed messages, in bytes: a window of
// large ones would be a gigabyte.
const maxFlight = 64 << 20

func weight(r *outbox.Record) int64 { return min(int64(len(r.Payload)), maxFlight) }

// read fetches page after page, one ahead of the desk.
func (s *stream) read(from outboxpg.Position) {
	busy := time.Now()   // when the log last brought something
	called := false      // the last look followed a ring
	unannounced := false // what it last brought was found without one
	var load flow.Meter
	for s.front.Err() == nil {
		var rung <-chan struct{}
		var often bool
		if s.cfg.Rung != nil {
			rung, often = s.cfg.Rung() // before reading, so that no ring is missed
		}
		page, err := s.readPage(from)
		if s.front.Err() != nil {
			return
		}
		if err != nil {
			s.fail(databaseFault(err))
			return
		}
		from = page.End()
		select {
		case s.pages <- page:
		case <-s.front.Done():
			return
		}
		if n := len(page.Records); n > 0 {
			busy = time.Now()
			load.Saw(n, busy)
			unannounced = !called
			if !page.Last() {
				continue
			}
			if d := linger(load.PerSecond()); d > 0 {
				s.pause(d, nil)
				continue
			}
		}
		heard := hears(rung != nil, often || unannounced)
		if called = !s.pause(pollPause(time.Since(busy), heard), rung); called {
			busy = time.Now() // more is to come: commits close together ring once
		}
	}
}

func (s *stream) readPage(from outboxpg.Position) (outboxpg.Page, error) {
	ctx, cancel := context.WithTimeout(s.front, s.limits.read)
	defer cancel()
	return s.tenure.Read(ctx, from, s.cfg.Page)
}

// pause waits for the time or the bell, and reports whether it was the time.
func (s *stream) pause(d time.Duration, rung <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.front.Done():
	case <-rung:
		return false
	}
	return true
}
