package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/outboxpg"
)

// stream is the work of a tenure with one session: it reads, sends, takes the
// answers and tells the ledger. Its loop owns the desk; what may block has a
// goroutine of its own. Stopping begins at the front: reading ends, what was sent is
// still answered.
type stream struct {
	*hold
	desk    *desk
	version int64 // of what operators did to the parked messages, when the desk was set up

	ctx   context.Context // ends when the session broke: nothing can be answered
	abort context.CancelFunc
	front context.Context // ends when nothing more is to be sent
	stop  context.CancelFunc

	pages   chan outboxpg.Page
	flight  chan sent   // sent and to be answered, in order
	alone   chan *entry // to be sent on a session of their own
	answers answers
	shelf   *shelf
	// unanswered are entries whose outcome will not be known.
	unanswered []*entry

	mu     sync.Mutex
	failed error // why the stream ends, the first reason
}

// sent is a message on its way to be confirmed.
type sent struct {
	entry *entry
	wait  func(context.Context) error
}

// errReload ends a stream for another one: somebody has changed the parked messages.
var errReload = errors.New("parked messages were changed by somebody else")

// stream runs until it is told to stop, fails, or has to be set up anew.
func (h *hold) stream() error {
	s, err := h.newStream()
	if err != nil {
		return err
	}
	defer s.abort()
	defer s.stop()
	var helpers sync.WaitGroup
	from := h.ledger.position()
	helpers.Go(func() { s.read(from) })
	helpers.Go(s.confirm)
	helpers.Go(s.probe)
	helpers.Go(s.shelf.serve)
	s.loop()
	s.stop()
	close(s.flight)
	close(s.alone)
	close(s.shelf.asked)
	helpers.Wait()
	s.leave()
	return s.reason()
}

// leave takes the answers that came last. After a session that a message has ended,
// those that have none are suspects.
func (s *stream) leave() {
	s.take(s.answers.collect())
	s.ledger.put(s.desk.take())
	if errors.Is(s.reason(), outbox.ErrFatal) {
		s.suspect(s.unanswered)
	}
}

// newStream sets the desk up from what the database says.
func (h *hold) newStream() (*stream, error) {
	ctx, cancel := context.WithTimeout(h.front, h.limits.call)
	defer cancel()
	_, _, version, err := h.tenure.NextDue(ctx, nil)
	if err != nil {
		return nil, databaseFault(err)
	}
	blocked, err := h.tenure.Blocked(ctx)
	if err != nil {
		return nil, databaseFault(err)
	}
	inFlight := max(1, h.cfg.Window/2)
	s := &stream{
		hold:    h,
		version: version,
		pages:   make(chan outboxpg.Page, 1),
		flight:  make(chan sent, inFlight),
		alone:   make(chan *entry, inFlight),
		answers: answers{arrived: make(chan struct{}, 1)},
	}
	limits := deskLimits{window: h.cfg.Window, inFlight: inFlight, bytes: maxFlight, open: h.cfg.Window}
	policy := policy{first: h.limits.retry, longest: h.limits.longestRetry, retryFor: h.cfg.RetryFor}
	s.desk = newDesk(limits, policy, h.random, h.ledger.position(), blocked)
	s.ctx, s.abort = context.WithCancel(h.ctx)
	s.front, s.stop = context.WithCancel(h.front)
	s.shelf = newShelf(s)
	return s, nil
}

// loop is the desk's owner.
func (s *stream) loop() {
	blockedAgain := time.NewTimer(0)
	defer blockedAgain.Stop()
	for {
		s.send()
		s.ledger.put(s.desk.take())
		if s.desk.full() {
			wake(s.ledger.hurry)
		}
		s.board.progress(s.desk.open.len(), s.desk.oldest())
		if s.broken() {
			s.fail(brokerFault(s.publisher.Err()))
		}
		if s.ctx.Err() != nil || s.broken() || (s.front.Err() != nil && s.desk.inFlight == 0 && !s.maySend()) {
			return
		}
		var pages <-chan outboxpg.Page
		if s.front.Err() == nil && s.desk.wantsPage() {
			pages = s.pages
		}
		var front <-chan struct{}
		if s.front.Err() == nil {
			front = s.front.Done()
		}
		if _, blocked := s.publisher.Blocked(); blocked {
			blockedAgain.Reset(blockedPause)
		}
		select {
		case page := <-pages:
			s.desk.admit(page)
		case <-s.answers.arrived:
			s.take(s.answers.collect())
		case <-s.ledger.saved:
			for _, r := range s.ledger.collect() {
				s.desk.saved(r.written, r.blocked)
				s.shelf.hurry(r)
			}
		case found := <-s.shelf.found:
			s.shelf.take(found)
		case <-s.shelf.timer.C:
			s.shelf.ask()
		case <-blockedAgain.C:
		case <-s.publisher.Done():
			s.fail(brokerFault(s.publisher.Err()))
		case <-front:
		case <-s.ctx.Done():
			return
		}
	}
}

// send gives the broker what it has room for.
func (s *stream) send() {
	for s.maySend() {
		e := s.desk.next()
		if e == nil {
			return
		}
		if s.mustBeAlone(e) {
			s.alone <- e
			continue
		}
		e.span = startSpan(s.ctx, e.record)
		wait, err := s.publisher.Publish(s.ctx, e.record)
		switch {
		case err == nil:
			s.flight <- sent{e, wait}
		case s.ctx.Err() != nil:
			s.desk.withdrawn(e)
		default: // in its turn: those before it may still be confirmed
			s.flight <- sent{e, func(context.Context) error { return err }}
			return
		}
	}
}

// maySend says whether to send more. When the stream is to stop, and the session is
// well, that is what closes the gaps between the messages that were sent.
func (s *stream) maySend() bool {
	if _, blocked := s.publisher.Blocked(); blocked || s.broken() || s.ctx.Err() != nil || len(s.unanswered) > 0 {
		return false // the position cannot pass what has no answer
	}
	return s.front.Err() == nil || s.desk.gaps()
}

// take hears the broker's answers.
func (s *stream) take(answers []answer) {
	var confirmed, refused, unanswered int
	for _, a := range answers {
		a.entry.span.end(a.err)
		reason := reasonOf(a.err)
		switch {
		case a.err == nil:
			confirmed++
			delete(s.suspects, a.entry.record.Position)
			s.desk.confirmed(a.entry)
			if a.entry.due == nil { // a parked one's age says nothing of the relay's speed
				s.board.tell(a.entry.record)
			}
		case errors.Is(a.err, errNotSent):
			s.desk.withdrawn(a.entry)
		case reason == "", reason == reasonFatal && !a.entry.alone:
			unanswered++
			s.desk.answered(a.entry) // nothing more will come: the loop need not wait for it
			s.unanswered = append(s.unanswered, a.entry)
			s.fail(brokerFault(a.err)) // it says nothing about this message
		default:
			refused++
			delete(s.suspects, a.entry.record.Position)
			s.desk.refused(a.entry, reason, a.err.Error())
			s.board.refusal(a.entry.record, reason, a.err)
		}
	}
	s.board.heard(confirmed, refused, unanswered, s.desk.written.publishedID)
}

// fail ends the stream; the first reason counts.
func (s *stream) fail(err error) {
	s.mu.Lock()
	if s.failed == nil {
		s.failed = err
	}
	s.mu.Unlock()
	s.stop()
}

func (s *stream) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// broken says that no more answers can come.
func (s *stream) broken() bool {
	return s.publisher.Err() != nil
}
