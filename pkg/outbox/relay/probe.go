package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.example/saga/pkg/outbox"
	"go.example/saga/pkg/outbox/desk"
)

// suspect remembers, after the broker has ended the session because of a message,
// those that may have been the one: each will be sent on a session of its own.
func (s *stream) suspect(unanswered []answer) {
	for _, a := range unanswered {
		if !a.alone {
			s.suspects[a.entry.ID] = true
		}
	}
}

// mustBeAlone says whether an entry may end the session that carries it.
func (s *stream) mustBeAlone(e *entry) bool {
	return e.Reason() == desk.Fatal || s.suspects[e.ID] || s.doubts.about(exchangeOf(e))
}

// exchangeOf is where the entry, or the answer to its call, is published.
func exchangeOf(e *entry) string {
	if e.Called {
		return e.Outgoing().Exchange
	}
	return e.To.Exchange
}

// probe sends the suspects one after the other on a throw-away session. The one
// that ends it is known by that, and nothing else was in flight.
func (s *stream) probe() {
	var session Publisher
	leave := func() {
		if session != nil {
			_ = session.Close()
		}
		session = nil
	}
	defer leave()
	for e := range s.alone {
		if s.front.Err() != nil {
			s.answers.add(answer{entry: e, err: errNotSent, alone: true})
			continue
		}
		exchange := exchangeOf(e)
		err := s.doubts.standing(exchange, time.Now())
		if err == nil {
			err = s.try(&session, e.Outgoing())
			s.doubts.learn(exchange, err, time.Now())
		}
		if len(s.alone) == 0 || reasonOf(err) == desk.Fatal || reasonOf(err) == "" && err != nil {
			leave()
		}
		s.answers.add(answer{entry: e, err: err, alone: true})
	}
}

func (s *stream) try(session *Publisher, r *outbox.Record) error {
	ctx, cancel := context.WithTimeoutCause(s.ctx, s.limits.confirm, errNoConfirm)
	defer cancel()
	if *session == nil {
		opened, err := s.cfg.Open(ctx)
		if err != nil {
			return err
		}
		*session = opened
	}
	wait, err := (*session).Publish(ctx, r)
	if err != nil {
		return err
	}
	return wait(ctx)
}

// doubts are the exchanges that messages have ended sessions for. They outlive the
// session and are safe for concurrent use.
type doubts struct {
	mu        sync.Mutex
	exchanges map[string]doubt
}

type doubt struct {
	err     error
	strikes int // since a message to the exchange was last answered
	last    time.Time
}

// standingFor is how long a verdict on an exchange counts for all messages to it:
// one session a second is spent on finding out whether it still holds.
const standingFor = time.Second

func (d *doubts) about(exchange string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, doubted := d.exchanges[exchange]
	return doubted
}

// standing is the verdict on an exchange that need not be asked for again: it does
// not exist, or has ended two sessions in a row.
func (d *doubts) standing(exchange string, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.exchanges[exchange]
	if now.Sub(known.last) < standingFor && (known.strikes > 1 || errors.Is(known.err, outbox.ErrNoExchange)) {
		return known.err
	}
	return nil
}

// learn takes over how a message to the exchange went.
func (d *doubts) learn(exchange string, err error, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch reasonOf(err) {
	case desk.Fatal:
		d.exchanges[exchange] = doubt{err: err, strikes: d.exchanges[exchange].strikes + 1, last: now}
	case desk.Unroutable, desk.Nacked:
		delete(d.exchanges, exchange)
	case "":
		if err == nil {
			delete(d.exchanges, exchange)
		}
	}
}
