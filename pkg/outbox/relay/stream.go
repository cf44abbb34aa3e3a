package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/desk"
	"go.example/saga/pkg/outbox/outboxpg"
)

// What is on the desk of a relay.
type (
	entry   = desk.Entry[*outbox.Record, outboxpg.Position]
	written = desk.Written[*outbox.Record, outboxpg.Position]
)

// stream is the work of a tenure with one session: it reads, sends, takes the
// answers and tells the ledger. Its loop owns the desk; what may block has a
// goroutine of its own. Stopping begins at the front: reading ends, what was sent is
// still answered.
type stream struct {
	*hold
	desk    *desk.Desk[*outbox.Record, outboxpg.Position]
	version int64 // of what operators did to the parked messages, when the desk was set up

	ctx   context.Context // ends when the session broke: nothing can be answered
	abort context.CancelFunc
	front context.Context // ends when nothing more is to be sent
	stop  context.CancelFunc

	pages   chan outboxpg.Page
	flight  chan sent   // sent and to be answered, in order
	alone   chan *entry // to be sent on a session of their own
	answers mailbox[answer]
	shelf   *shelf
	calls   *calls
	// unanswered are entries whose outcome will not be known.
	unanswered []answer

	mu     sync.Mutex
	failed error // why the stream ends, the first reason
}

// sent is a message on its way to be confirmed.
type sent struct {
	entry *entry
	span  span
	wait  func(context.Context) error
}

// errReload ends a stream for another one: somebody has changed the parked messages.
var errReload = errors.New("parked messages were changed by somebody else")

// errRenew ends a session for another one: the broker has refused a message twice.
var errRenew = errors.New("the broker has refused a message again: another session may fare better")

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
	s.calls.end()
	s.leave()
	return s.reason()
}

// leave takes the answers that came last. After a session that a message has ended,
// those that have none are suspects.
func (s *stream) leave() {
	s.take(s.answers.collect())
	s.ledger.put(s.desk.Take())
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
		answers: mailbox[answer]{arrived: make(chan struct{}, 1)},
	}
	limits := desk.Limits{Window: h.cfg.Window, InFlight: inFlight, Bytes: maxFlight, Open: h.cfg.Window}
	policy := desk.Policy{First: h.limits.retry, Longest: h.limits.longestRetry, RetryFor: h.cfg.RetryFor}
	s.desk = desk.New[*outbox.Record](limits, policy, h.random, h.ledger.position(), blocked)
	s.ctx, s.abort = context.WithCancel(h.ctx)
	s.front, s.stop = context.WithCancel(h.front)
	s.shelf, s.calls = newShelf(s), newCalls(s)
	return s, nil
}

// loop is the desk's owner.
func (s *stream) loop() {
	blockedAgain := time.NewTimer(0)
	defer blockedAgain.Stop()
	for {
		s.calls.begin()
		s.send()
		s.ledger.put(s.desk.Take())
		if s.desk.Full() {
			wake(s.ledger.hurry)
		}
		s.board.progress(s.desk.Open(), s.desk.Oldest())
		if s.broken() {
			s.fail(brokerFault(s.publisher.Err()))
		}
		if s.ctx.Err() != nil || s.broken() || (s.front.Err() != nil && s.desk.InFlight() == 0 && !s.maySend()) {
			return
		}
		var pages <-chan outboxpg.Page
		if s.front.Err() == nil && s.desk.WantsPage() {
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
			s.admit(page)
		case <-s.answers.arrived:
			s.take(s.answers.collect())
		case <-s.ledger.saved:
			for _, r := range s.ledger.collect() {
				s.desk.Saved(r.written, r.blocked)
				s.shelf.hurry(r)
			}
		case found := <-s.shelf.found:
			s.shelf.take(found)
		case <-s.shelf.timer.C:
			s.shelf.ask()
		case <-s.calls.ends.arrived:
			s.calls.takeAll()
		case <-s.calls.slow.C:
			s.calls.setAside(false)
		case <-blockedAgain.C:
		case <-s.publisher.Done():
			s.fail(brokerFault(s.publisher.Err()))
		case <-front:
		case <-s.ctx.Done():
			return
		}
	}
}

// admit puts a page on the desk.
func (s *stream) admit(page outboxpg.Page) {
	if len(page.Records) == 0 {
		s.desk.AdmitGap(page.End())
	}
	for i, r := range page.Records {
		s.desk.Admit(s.message(r), r, page.After(i))
	}
	if s.desk.Open() >= s.cfg.Window/2 {
		s.calls.setAside(true)
	}
}

// message is what the desk has to know of a record. One that is called has no size: how
// many calls there are at a time bounds them.
func (s *stream) message(r *outbox.Record) desk.Message {
	m := desk.Message{
		ID: r.Position, Aggregate: r.AggregateID, To: desk.Destination{Exchange: r.Exchange, RoutingKey: r.RoutingKey},
		Size: weight(r), Scheduled: !r.DeliverAt.IsZero(), CreatedAt: r.CreatedAt,
		Called: s.cfg.Caller != nil && s.cfg.Caller.Carries(r),
	}
	if m.Called {
		m.Size = 0
	}
	return m
}

// send gives the broker what it has room for.
func (s *stream) send() {
	for s.maySend() {
		e := s.desk.Next()
		if e == nil {
			return
		}
		if err := e.Outgoing().Unreadable; err != nil {
			s.desk.Refused(e, desk.Unreadable, err.Error())
			s.board.refusal(e.Record, desk.Unreadable, err)
			continue
		}
		if s.mustBeAlone(e) {
			s.alone <- e
			continue
		}
		r := e.Outgoing()
		span := startSpan(s.ctx, r)
		wait, err := s.publisher.Publish(s.ctx, r)
		switch {
		case err == nil:
			s.flight <- sent{e, span, wait}
		case s.ctx.Err() != nil:
			s.desk.Withdrawn(e)
		default: // in its turn: those before it may still be confirmed
			s.flight <- sent{e, span, func(context.Context) error { return err }}
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
	return s.front.Err() == nil || s.desk.Gaps()
}

// take hears the broker's answers.
func (s *stream) take(answers []answer) {
	var confirmed, refused, unanswered int
	for _, a := range answers {
		a.span.end(a.err)
		reason := reasonOf(a.err)
		switch {
		case a.err == nil:
			confirmed++
			delete(s.suspects, a.entry.ID)
			s.desk.Confirmed(a.entry)
			if !a.entry.WasParked() { // a parked one's age says nothing of the relay's speed
				s.board.tell(a.entry.Record)
			}
		case errors.Is(a.err, errNotSent):
			s.desk.Withdrawn(a.entry)
		case reason == "", reason == desk.Fatal && !a.alone:
			unanswered++
			s.desk.Unanswered(a.entry) // nothing more will come: the loop need not wait for it
			s.unanswered = append(s.unanswered, a)
			s.fail(brokerFault(a.err)) // it says nothing about this message
		default:
			refused++
			delete(s.suspects, a.entry.ID)
			s.desk.Refused(a.entry, reason, a.err.Error())
			s.board.refusal(a.entry.Record, reason, a.err)
			if reason == desk.Nacked && a.entry.WasParked() && !a.alone {
				s.renew()
			}
		}
	}
	s.board.heard(confirmed, refused, unanswered, s.desk.PublishedID())
}

// renew ends a session that refuses what it has refused before, when it is old enough; a
// queue that is full will refuse on the next ones too, so they are given more and more time.
// For a broker's channel asks the node where a queue's leader was at its first message: has that
// node died just then, it refuses all for the queue until the node is back, while a channel
// that is opened later has them accepted by the new leader.
func (s *stream) renew() {
	const doublings = 6 // to about a minute
	if time.Since(s.opened) >= s.limits.renew<<min(s.renewals, doublings) {
		s.fail(errRenew)
	}
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
