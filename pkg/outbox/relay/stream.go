package relay

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/outboxpg"
)

// sent is a published message on its way to be confirmed, or with no record an
// empty stretch of the log.
type sent struct {
	record *outbox.Record
	wait   func(context.Context) error
	after  outboxpg.Position
}

// stream is the pipeline: read → publish → confirm. Stopping it begins at the
// front: reading ends, what is published is still confirmed.
type stream struct {
	*hold
	ctx    context.Context // ends when the session broke: nothing can be confirmed
	abort  context.CancelFunc
	front  context.Context // ends when nothing more is to be published
	stop   context.CancelFunc
	pages  chan outboxpg.Page
	flight chan sent
	slots  chan struct{} // one for each unconfirmed message
	room   *semaphore.Weighted
}

// maxFlight bounds the payloads of the unconfirmed messages, in bytes: a window of
// large ones would be a gigabyte.
const maxFlight = 64 << 20

func weight(r *outbox.Record) int64 { return min(int64(len(r.Payload)), maxFlight) }

// stream runs a pipeline from the confirmed position on, until it is stopped or
// fails. All that is in flight has had its confirm or its error when it returns.
func (h *hold) stream() error {
	s := &stream{
		hold:   h,
		pages:  make(chan outboxpg.Page, 1),
		flight: make(chan sent, h.cfg.Window),
		slots:  make(chan struct{}, h.cfg.Window),
		room:   semaphore.NewWeighted(maxFlight),
	}
	s.ctx, s.abort = context.WithCancel(h.ctx)
	defer s.abort()
	s.front, s.stop = context.WithCancel(h.front)
	defer s.stop()

	from := h.ledger.position() // before confirm moves it
	var group errgroup.Group
	var broken error
	group.Go(func() error { defer close(s.pages); return s.read(from) })
	group.Go(func() error { defer close(s.flight); s.publish(); return nil })
	group.Go(func() error { broken = s.confirm(); return nil })
	group.Go(func() error { s.heed(); return nil })
	unread := group.Wait()
	switch lost := s.publisher.Err(); {
	case broken != nil:
		return broken
	case unread != nil:
		return unread
	case lost != nil:
		return brokerFault(lost)
	default:
		return nil
	}
}

// heed notices the end of the session while there is nothing to publish.
func (s *stream) heed() {
	select {
	case <-s.publisher.Done():
		s.stop()
	case <-s.front.Done():
	}
}

// read fetches page after page, one ahead of the publisher.
func (s *stream) read(from outboxpg.Position) error {
	busy := time.Now() // when the log last brought something
	for s.front.Err() == nil {
		page, err := s.tenure.Read(s.front, from, s.cfg.Page)
		if s.front.Err() != nil {
			return nil
		}
		if err != nil {
			return databaseFault(err)
		}
		from = page.End()
		select {
		case s.pages <- page:
		case <-s.front.Done():
			return nil
		}
		if len(page.Records) > 0 {
			busy = time.Now()
			continue
		}
		sleep(s.front, pollPause(time.Since(busy)))
	}
	return nil
}

// publish sends the pages' rows, never more than a window ahead of the confirms.
func (s *stream) publish() {
	defer s.stop() // lets read go
	for page := range s.pages {
		if len(page.Records) == 0 {
			s.flight <- sent{after: page.End()}
			continue
		}
		for i, r := range page.Records {
			if !s.unblocked(s.front) {
				return
			}
			select {
			case s.slots <- struct{}{}:
			case <-s.front.Done():
				return
			}
			if s.room.Acquire(s.front, weight(r)) != nil {
				return
			}
			wait, err := s.publisher.Publish(s.front, r)
			if err != nil && s.front.Err() != nil {
				return
			}
			if err != nil {
				// In its turn: the rows before it may still be confirmed.
				s.flight <- sent{record: r, wait: func(context.Context) error { return err }}
				return
			}
			s.flight <- sent{record: r, wait: wait, after: page.After(i)}
		}
	}
}

// confirm takes the broker's answers in the order of publishing and moves the
// position up to the first that is no yes. What follows that one is awaited
// without being counted, so that the session can go on being used.
func (s *stream) confirm() error {
	var failed error
	for it := range s.flight {
		if it.record == nil {
			if failed == nil {
				s.ledger.forward(it.after)
			}
			continue
		}
		err := s.await(s.ctx, it.wait)
		<-s.slots
		s.room.Release(weight(it.record))
		switch {
		case failed != nil:
			s.suspects++
		case err == nil:
			s.board.published(it.record.Position)
			s.ledger.confirm(s.ctx, it.after, it.record.Position)
		default:
			failed = judge(it.record, err)
			s.suspects = 1
			s.stop()
			if !refused(err) {
				s.abort()
			}
		}
	}
	return failed
}
